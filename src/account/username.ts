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

/**
 * What a username looks like at a glance: `.`, `_` and `-` are passed over, and `rn` looks like `m`, `vv` like `w`, `0` like
 * `o`, `1` and `i` like `l`. Two usernames with one skeleton are look-alikes, of which only one may exist. Postgres keeps that
 * so, by its function username_skeleton, which says the same.
 */
export function skeletonOf(username: string): string {
  return username
    .replaceAll(/[._-]/g, '')
    .replaceAll('rn', 'm')
    .replaceAll('vv', 'w')
    .replaceAll('0', 'o')
    .replaceAll(/[1i]/g, 'l')
}

const reserved: ReadonlySet<string> = new Set(
  ['admin', 'administrator', 'everyone', 'moderator', 'parley', 'root', 'security', 'support', 'system'].map(skeletonOf),
)

/** Whether a username, or one that it looks like, is kept from everybody, since people would take it for the server's own. */
export function isReserved(username: string): boolean {
  return reserved.has(skeletonOf(username))
}

/** Letters that Unicode does not take apart into a plain one and its accent. */
const plain: Readonly<Record<string, string>> = { ß: 'ss', æ: 'ae', œ: 'oe', ø: 'o', đ: 'd', ð: 'd', þ: 'th', ł: 'l', ı: 'i' }

/** The form in which names are searched: without case and accents, one blank between words. */
export function foldText(text: string): string {
  return text
    .toLowerCase()
    .normalize('NFKD')
    .replaceAll(/[\u0300-\u036f]/g, '')
    .replaceAll(/[ßæœøđðþłı]/g, (letter) => plain[letter] ?? letter)
    .replaceAll(/\s+/g, ' ')
    .trim()
}

/** The username that a claim of an identity provider suggests: the part before an @, where it is of the right form. */
export function findUsernameIn(claim: string | undefined): string | null {
  const candidate = normaliseUsername(claim?.split('@')[0] ?? '')
  return usernameForm.test(candidate) && !isReserved(candidate) ? candidate : null
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
