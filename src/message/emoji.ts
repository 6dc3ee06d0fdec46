// Recognises emoji and converts each to the form in which it is stored. Pure.
//
// Emoji are the sequences that Unicode recommends for general interchange (RGI, UTS #51), in the version that the package
// `emoji-regex` contains: Emoji 18.0. So all nodes agree, whatever Unicode version their Node.js has.
//
// The stored form is the fully-qualified one: each emoji character whose default is text, such as ❤, is followed by one U+FE0F,
// and no other character is.

import emojiRegex from 'emoji-regex'

const bytesMax = 64

const recommended = new RegExp(`^(?:${emojiRegex().source})$`)
/** A variation selector where keyboards put one, needed or not: after an emoji character or at the end. Matches no second one. */
const selectors = /(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}0-9#*])\uFE0F(?!\uFE0F)|(?<!^|\uFE0F|\u200D)\uFE0F$/gu
const anySelector = /[\uFE0E\uFE0F]/g
/** An emoji character that is text by default. A skin tone after it makes it an emoji without a selector. */
const textByDefault = /(?=\p{Emoji})\P{Emoji_Presentation}(?!\p{Emoji_Modifier})/gu
const likeEmoji = /\p{Extended_Pictographic}|\p{Regional_Indicator}|\u20E3/u

const qualify = (text: string) => text.replace(textByDefault, '$&\uFE0F')

/** Finds the stored form of a text that is one emoji; null if it is not. Variation selectors may be missing. */
export function findEmoji(text: string): string | null {
  if (Buffer.byteLength(text) > bytesMax) return null
  const emoji = qualify(text.replace(selectors, ''))
  return recommended.test(emoji) ? emoji : null
}

/**
 * Finds the stored form of a reaction to remove; null if the text was never allowed as a reaction. Accepts more than `findEmoji`:
 * earlier versions stored any text with a pictograph, and users can remove such reactions.
 */
export function findStoredEmoji(text: string): string | null {
  if (Buffer.byteLength(text) > bytesMax || text.includes('\0') || !text.isWellFormed() || !likeEmoji.test(text)) return null
  return qualify(text.replace(anySelector, ''))
}
