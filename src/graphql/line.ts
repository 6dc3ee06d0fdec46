// What may stand on one line that people read: names, titles, names of devices. Such lines are shown beside texts that others
// wrote, and notifications are made of them, so a line must be visible, stay on its line, and turn nothing around it.

/** Characters of white space, and those that Unicode and fonts draw nothing for, such as fillers and the empty Braille pattern. */
const invisible =
  /[\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Cc}\p{Noncharacter_Code_Point}\u2800\ufffc\u{1d159}\u{13441}\u{13442}]/gu

/** Control characters, and the separators of lines and paragraphs. */
const breaks = /[\p{Cc}\u2028\u2029]+/gu

/** Embeddings, overrides and isolates of direction with what ends them, their deprecated kin, and interlinear annotations. */
const turns = /[\u202a-\u202e\u2066-\u206f\ufff9-\ufffb]/gu

/** Whether somebody who looks at a text sees anything. A mark alone, which has nothing to stand on, is nothing. */
export function isVisible(text: string): boolean {
  return text.replaceAll(invisible, '').replaceAll(/\p{M}/gu, '') !== ''
}

/** Why a text cannot stand on one line; null where it can. Joiners are welcome: Persian, Indic scripts and emoji need them. */
export function faultOfLine(text: string): string | null {
  if (text.search(breaks) >= 0) return 'must not contain control characters or line breaks'
  if (text.search(turns) >= 0) return 'must not contain characters that change the direction of text'
  return isVisible(text) ? null : 'must contain a visible character'
}

/** Makes a text of somebody else's fit on one line, of at most `max` characters; null where nothing visible is left. */
export function fitLine(text: string, max: number): string | null {
  const line = text.toWellFormed().replaceAll(breaks, ' ').replaceAll(turns, '').trim()
  const fitted = [...line].slice(0, max).join('').trim()
  return isVisible(fitted) ? fitted : null
}
