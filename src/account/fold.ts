// Folds texts for search, so that equal letters are equal in messages, names, and queries. Pure.
//
//   equal letters    compatibility forms (NFKC: ＡＢＣ, ｶﾞ, 𝒜, ㈜), upper and lower case, letters with and without accents,
//                    apostrophes, quotes and dashes of all kinds. が and か differ: a voicing mark is not an accent.
//   removed          invisible characters (zero-width characters, soft hyphens, fillers), vowel points, tatweel.
//   emoji            a whole sequence is one unit: 🇪🇺 is not part of 🇩🇪🇺🇸, 7️⃣ is not 7, 👍 is not 👍🏽. Variation selectors
//                    do not count.
//
// If you change the output, raise `foldVersion`: then stored texts and names are folded again.

/** The version of the rules. The indexer folds messages and names again that were folded by another version. */
export const foldVersion = 2

/**
 * The kind of a piece of a text. A sign stands for letters or digits (™, ², ½, ㎏, ①), which belong to the word beside it (H₂O)
 * or do not (Parley™).
 */
export type PieceKind = 'letters' | 'sign' | 'emoji'
/** Takes a piece: its folded form, which may be empty, and the range that it comes from, in UTF-16 units, the end excluded. */
export type Take = (folded: string, start: number, end: number, kind: PieceKind) => void

// A character with everything that belongs to it: marks, later parts of a Hangul syllable, half-width voicing marks, invisibles.
const cluster = /.[\p{M}\p{Cf}\p{DI}\u1160-\u11ff\ud7b0-\ud7fb\uff9e\uff9f]*/suy
const pictograph = String.raw`\p{ExtPict}[\ufe0e\ufe0f]{0,2}\p{EMod}?\ufe0f?[\u{e0020}-\u{e007f}]{0,16}\u20e3?`
/** Matches an emoji, of bounded length because the index takes no term of more than 2 KB. */
const emoji = new RegExp(
  String.raw`\p{RI}{1,2}|\p{EMod}|[0-9#*]\ufe0f?\u20e3|${pictograph}(?:\u200d${pictograph}){0,9}`
    .replaceAll('{ExtPict}', '{Extended_Pictographic}')
    .replaceAll('{EMod}', '{Emoji_Modifier}')
    .replaceAll('{RI}', '{Regional_Indicator}'),
  'uy',
)
const mayBeEmoji = /^[\p{Extended_Pictographic}\p{Regional_Indicator}\p{Emoji_Modifier}0-9#*]/u
const invisible = '\u00ad\u200b\u2060\ufeff'
const selectors = /[\ufe0e\ufe0f]/g
/** Signs that users type, and that phones may turn into emoji. */
const signs = new Set(['™', '‼', '⁉'])

/**
 * Characters to drop: accents of Latin, Greek and Cyrillic; points of Hebrew, Arabic and Syriac, with tatweel; variation
 * selectors; and invisible characters.
 */
const dropped =
  /(?=\p{M})(?:[\u0300-\u036f]|[\u0591-\u05c7]|[\u0610-\u061a]|[\u064b-\u065f]|\u0670|[\u06d6-\u06ed]|\u0711|[\u0730-\u074a]|[\u08ca-\u08ff]|[\u1ab0-\u1aff]|[\u1dc0-\u1dff]|[\u20d0-\u20ff]|[\ufe20-\ufe2f])|[\p{Cf}\p{DI}\u0640\u07fa]/gu
/** Letters that Unicode does not decompose. */
const strokes: Readonly<Record<string, string>> = { æ: 'ae', œ: 'oe', ø: 'o', ł: 'l', đ: 'd', ð: 'd', þ: 'th', ħ: 'h', ŧ: 't' }
/** Signs with several forms: the others of a group are folded to its first one. */
const same = new Map(
  ["'‘’‚‛`ʹʻʼʽˈ′‵‹›՚׳ߴߵꞌ＇｀", '"“”„‟«»״〝〞〟＂', '-‐‑‒–—―−֊־⸺⸻﹘﹣－', '/⁄∕／', '~∼〜～'].flatMap((group) => {
    const [first = '', ...others] = group
    return others.map((other) => [other, first] as const)
  }),
)
/** Decompositions of an acute accent and a breathing that stand alone: users type them as apostrophes. */
const alone = new Set([' \u0301', ' \u0313'])
const isApostrophe = (character: string) => character === "'" || same.get(character) === "'"
const standsForOthers = /^[\p{No}\p{Nl}\p{S}\p{Lm}ªº]/u
/** A nasal mark before a tone mark: Thai and Lao are typed in both orders, and ำ contains the nasal mark. */
const nasals = /([\u0e4d\u0ecd])([\u0e48-\u0e4b\u0ec8-\u0ecb])/g

const ascii = Array.from({ length: 0x80 }, (_, code) => foldCharacter(String.fromCharCode(code)))

/** Whether a character folds to itself: Hangul syllables, kana, and common Han. */
const isPlain = (code: number) =>
  (code >= 0xac00 && code <= 0xd7a3) ||
  (code >= 0x4e00 && code <= 0x9fff) ||
  (code >= 0x3041 && code <= 0x3096) ||
  (code >= 0x30a1 && code <= 0x30fc)
/** Whether this character, or the end of the text (NaN), never belongs to the character before it. */
const isAlone = (code: number) => code < 0x80 || isPlain(code) || Number.isNaN(code)

const knownMax = 20_000
/** The folded forms of known short clusters. */
const known = new Map<string, { readonly folded: string; readonly kind: PieceKind }>()

/** Reads a text piece by piece, in order. */
export function readPieces(text: string, take: Take): void {
  let at = 0
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (code < 0x80 && code !== 0x27 && code !== 0x60 && isAlone(text.charCodeAt(at + 1))) {
      take(ascii[code] ?? '', at, at + 1, 'letters')
      at += 1
    } else if (isPlain(code) && isAlone(text.charCodeAt(at + 1))) {
      take(text.charAt(at), at, at + 1, 'letters')
      at += 1
    } else {
      const source = clusterAt(text, at)
      const { folded, kind } = formOf(source)
      take(folded, at, at + visibleLength(source), kind)
      at += source.length
    }
  }
}

/**
 * Folds a text to the form in which names are searched: one space between words, and marks around an emoji, so that a part of it
 * never matches. The marks are control characters, which the folded form never contains otherwise.
 */
export function foldText(text: string): string {
  let folded = ''
  readPieces(text, (piece, _start, _end, kind) => {
    folded += kind === 'emoji' ? `\u001f${piece}\u001f` : piece.replaceAll(/[\s\p{Cc}\p{Z}]+/gu, ' ')
  })
  return folded.replaceAll(/ {2,}/g, ' ').trim()
}

/** The length of a cluster without invisible characters at its end: what a highlight covers. */
function visibleLength(source: string): number {
  let length = source.length
  while (length > 1 && invisible.includes(source.charAt(length - 1))) length -= 1
  return length
}

function clusterAt(text: string, at: number): string {
  // Two apostrophes or primes are a quote, like ″.
  if (isApostrophe(text.charAt(at)) && isApostrophe(text.charAt(at + 1))) return text.slice(at, at + 2)
  emoji.lastIndex = at
  const found = emoji.exec(text)?.[0]
  if (found !== undefined && isEmoji(found)) return found
  cluster.lastIndex = at
  return cluster.exec(text)?.[0] ?? text.charAt(at)
}

function formOf(source: string): { readonly folded: string; readonly kind: PieceKind } {
  const before = known.get(source)
  if (before) return before
  emoji.lastIndex = 0
  const form =
    mayBeEmoji.test(source) && emoji.exec(source)?.[0] === source && isEmoji(source)
      ? ({ folded: foldEmoji(source), kind: 'emoji' } as const)
      : { folded: foldCharacter(source), kind: isSign(source) ? ('sign' as const) : ('letters' as const) }
  if (source.length <= 8 && known.size < knownMax) known.set(source, form)
  return form
}

/** An emoji without its selectors. The base of a keycap becomes full-width, which no other text folds to: # does not match it. */
function foldEmoji(source: string): string {
  const plain = source.replace(selectors, '')
  return /^[0-9#*]/.test(plain) ? `${String.fromCharCode(plain.charCodeAt(0) + 0xfee0)}\u20e3` : plain
}

/** Whether a match of `emoji` is an emoji: a sign such as ℹ or ™ is one only with an emoji variation selector. */
function isEmoji(found: string): boolean {
  const plain = found.replace(selectors, '')
  if ([...plain].length > 1) return true
  if (signs.has(plain)) return false
  return found.includes('\ufe0f') || /^\p{Emoji_Presentation}/u.test(plain) || plain.normalize('NFKD') === plain
}

function isSign(source: string): boolean {
  const base = String.fromCodePoint(source.codePointAt(0) ?? 0)
  return standsForOthers.test(base) && base.normalize('NFKD') !== base
}

/** The folded form of a character with its marks. */
function foldCharacter(source: string): string {
  const base = String.fromCodePoint(source.codePointAt(0) ?? 0)
  if (isApostrophe(base)) return isApostrophe(source.charAt(1)) ? '"' : "'"
  const first = same.get(base)
  if (first !== undefined) return first
  const decomposed = source.normalize('NFKD')
  if (alone.has(decomposed)) return "'"
  let folded = ''
  for (const character of decomposed.replace(dropped, '').replace(nasals, '$2$1').normalize('NFC')) {
    // Through upper case: ß and ẞ both become ss, ς and Σ become σ.
    const lower = character.toLowerCase().toUpperCase().toLowerCase().replace(dropped, '')
    folded += same.get(lower) ?? strokes[lower] ?? lower
  }
  return folded.replaceAll("''", '"')
}
