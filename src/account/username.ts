// Usernames, by which people find each other, and display names: their form, without any I/O.

import { fitLine } from '../graphql/line.ts'
import { foldText, foldVersion } from './fold.ts'
import { skeletonOf } from './lookalikes.ts'

/** The form of a normalised username. */
export const usernameForm = /^[a-z0-9](?:[a-z0-9._-]{1,30})[a-z0-9]$/
/** The rule in words, for error messages and descriptions in the schema. */
export const usernameRule = '3 to 32 characters: a to z, 0 to 9, and . _ - except at the beginning and the end'
/** The longest display name, in characters. */
export const displayNameMax = 80
/** The longest device name, in characters. */
export const deviceNameMax = 100

/** The form that usernames are stored and compared in: NFKC, lower case, trimmed. */
export function normaliseUsername(text: string): string {
  return text.normalize('NFKC').trim().toLowerCase()
}

const reserved: ReadonlySet<string> = new Set(
  ['admin', 'administrator', 'everyone', 'moderator', 'parley', 'root', 'security', 'support', 'system'].map(skeletonOf),
)

/** Whether a username, or one that it looks like, is reserved: people would take its user for a part of the server. */
export function isReserved(username: string): boolean {
  return reserved.has(skeletonOf(username))
}

/** The columns that make a user with this display name searchable. */
export function searchedAs(displayName: string): { searchName: string; searchFold: number } {
  return { searchName: foldText(displayName), searchFold: foldVersion }
}

/** The username that an identity provider's claim suggests: the part before an @, if it has the form of a username. */
export function findUsernameIn(claim: string | undefined): string | null {
  const candidate = normaliseUsername(claim?.split('@')[0] ?? '')
  return usernameForm.test(candidate) && !isReserved(candidate) ? candidate : null
}

/** The display name that an identity provider's claim suggests, shortened to fit; null if nothing is left of it. */
export function findDisplayNameIn(claim: string | undefined): string | null {
  return fitLine(claim ?? '', displayNameMax)
}
