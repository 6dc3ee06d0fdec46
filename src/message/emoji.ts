// What counts as an emoji, and the one form in which each is stored. Pure.
//
// Emoji are the sequences that Unicode recommends for general interchange (RGI, UTS #51), by the data of one Unicode version
// that the package `emoji-regex` carries: Emoji 18.0. All nodes agree on it, whatever Unicode their Node.js knows.
//
// The stored form is the fully-qualified one: each emoji character whose default is text, such as ❤, has one U+FE0F after it,
// and nothing else has one. Migration 20261128140000_canonical_emoji says the same in SQL; a test compares the two.

import emojiRegex from 'emoji-regex'

const bytesMax = 64

const recommended = new RegExp(`^(?:${emojiRegex().source})$`)
/** A variation selector where keyboards put one, needed or not: after a character of an emoji or at the end. Never a second one. */
const selectors = /(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}0-9#*])\uFE0F(?!\uFE0F)|(?<!^|\uFE0F|\u200D)\uFE0F$/gu
const anySelector = /[\uFE0E\uFE0F]/g
/** An emoji character that is text by default. A skin tone after it makes it an emoji without a selector. */
const textByDefault = /(?=\p{Emoji})\P{Emoji_Presentation}(?!\p{Emoji_Modifier})/gu
const likeEmoji = /\p{Extended_Pictographic}|\p{Regional_Indicator}|\u20E3/u

const qualify = (text: string) => text.replace(textByDefault, '$&\uFE0F')

/** The stored form of the one emoji that a text is; null where it is none. Takes it with all variation selectors, or with some. */
export function findEmoji(text: string): string | null {
  if (Buffer.byteLength(text) > bytesMax) return null
  const emoji = qualify(text.replace(selectors, ''))
  return recommended.test(emoji) ? emoji : null
}

/**
 * The form in which a reaction is looked for that is to be taken back; null for what never was one. Takes more than `findEmoji`:
 * earlier versions stored whatever held a pictograph, and whoever left such a reaction can remove it.
 */
export function findStoredEmoji(text: string): string | null {
  if (Buffer.byteLength(text) > bytesMax || text.includes('\0') || !text.isWellFormed() || !likeEmoji.test(text)) return null
  return qualify(text.replace(anySelector, ''))
}
