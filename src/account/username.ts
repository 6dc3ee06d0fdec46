// Usernames: the name by which people find each other. Pure.

/** What a username looks like once it is normalised. */
export const usernameForm = /^[a-z0-9](?:[a-z0-9._-]{1,30})[a-z0-9]$/
/** The rule in words, for messages and descriptions. */
export const usernameRule = '3 to 32 of the letters a to z, digits, and . _ - between them'
/** The longest display name, in characters. */
export const displayNameMax = 80

/** The form in which usernames are stored and compared: compatibility forms folded (NFKC), lower case, no space around. */
export function normaliseUsername(text: string): string {
  return text.normalize('NFKC').trim().toLowerCase()
}

/** The username that a claim of an identity provider suggests: the part before an @, where it is of the right form. */
export function findUsernameIn(claim: string | undefined): string | null {
  const candidate = normaliseUsername(claim?.split('@')[0] ?? '')
  return usernameForm.test(candidate) ? candidate : null
}

/** The display name that a claim of an identity provider suggests, made to fit; null where nothing is left of it. */
export function findDisplayNameIn(claim: string | undefined): string | null {
  const characters = [
    ...(claim ?? '')
      .toWellFormed()
      .replaceAll(/\p{Cc}+/gu, ' ')
      .trim(),
  ]
  return characters.slice(0, displayNameMax).join('') || null
}
