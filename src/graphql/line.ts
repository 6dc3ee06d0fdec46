// Checks single lines that people read: names, titles, device names. They appear beside texts of other users and in
// notifications, so a line must be visible, have no line breaks, and not change the direction of text around it.

/** White space, and characters that Unicode or fonts render as nothing, such as fillers and the empty Braille pattern. */
const invisible =
  /[\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Cc}\p{Noncharacter_Code_Point}\u2800\ufffc\u{1d159}\u{13441}\u{13442}]/gu

/** Control characters, and line and paragraph separators. */
const breaks = /[\p{Cc}\u2028\u2029]+/gu

/** Directional embeddings, overrides, isolates and their terminators, deprecated format characters, interlinear annotations. */
const turns = /[\u202a-\u202e\u2066-\u206f\ufff9-\ufffb]/gu

/** Whether a text has a visible character. Combining marks without a base character don't count. */
export function isVisible(text: string): boolean {
  return text.replaceAll(invisible, '').replaceAll(/\p{M}/gu, '') !== ''
}

/** Why a text is not a valid line; null if it is. Joiners are allowed: Persian, Indic scripts and emoji need them. */
export function faultOfLine(text: string): string | null {
  if (text.search(breaks) >= 0) return 'must not contain control characters or line breaks'
  if (text.search(turns) >= 0) return 'must not contain characters that change the direction of text'
  return isVisible(text) ? null : 'must contain a visible character'
}

/** Makes an external text fit on one line of at most `max` characters; null if nothing visible is left. */
export function fitLine(text: string, max: number): string | null {
  const line = text.toWellFormed().replaceAll(breaks, ' ').replaceAll(turns, '').trim()
  const fitted = [...line].slice(0, max).join('').trim()
  return isVisible(fitted) ? fitted : null
}
