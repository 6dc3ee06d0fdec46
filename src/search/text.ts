// How search reads a text: what counts as the same letter, and what as one word. Pure. A message and a query are read by
// the same function, so whatever it takes for equal is found. Knows nothing of indexes.
//
//   the same letter  compatibility forms (NFKC: ＡＢＣ, ｶﾞ, ㈜), upper and lower case, letters with and without accents.
//                    が and か are two letters: a voicing mark is no accent.
//   one word         a run of letters and digits. Han, kana and Hangul have no such words: people look for any two
//                    syllables out of the middle, so there a run is a run of characters.
//   anything else    a symbol that stands for itself: %, _, *, a quote, an emoji.

/** What a piece of a text is. */
export type TokenKind = 'word' | 'run' | 'symbol' | 'space'

/** A piece of a text, as search reads it. */
export type Token = {
  readonly kind: TokenKind
  /** Its characters (code points) after folding. White space of any length is one character. */
  readonly characters: string[]
  /** Where each character comes from in the text: offsets of UTF-16 units, the end excluded. */
  readonly starts: number[]
  readonly ends: number[]
}

// A character with what belongs to it: marks, later parts of a Hangul syllable, half-width voicing marks, invisible ones.
const cluster = /.[\p{M}\p{Cf}\u1160-\u11ff\ud7b0-\ud7fb\uff9e\uff9f]*/gsu
// Accents of Latin, Greek and Cyrillic, points of Hebrew and Arabic, variation selectors; and what is invisible.
const accents =
  /(?=\p{M})(?:[\u0300-\u036f]|[\u0591-\u05c7]|[\u0610-\u061a]|[\u064b-\u065f]|\u0670|[\u1ab0-\u1aff]|[\u1dc0-\u1dff]|[\u20d0-\u20ff]|[\ufe00-\ufe0f]|[\ufe20-\ufe2f]|[\u{e0100}-\u{e01ef}])|\p{Cf}/gu
/** Letters whose accent Unicode does not take apart. */
const strokes: Readonly<Record<string, string>> = { æ: 'ae', œ: 'oe', ø: 'o', ł: 'l', đ: 'd', ð: 'd', þ: 'th', ħ: 'h', ŧ: 't' }

/** The letters of Hangul syllables, kana and the usual Han are their own folded form. */
const isPlain = (code: number) => (code >= 0xac00 && code <= 0xd7a3) || (code >= 0x4e00 && code <= 0x9fff)

function fold(text: string): string {
  const code = text.charCodeAt(0)
  if (text.length === 1) {
    if (code < 0x80) return text.toLowerCase()
    if (isPlain(code)) return text
  }
  let folded = ''
  for (const character of text.normalize('NFKD').replace(accents, '').normalize('NFC')) {
    // By way of upper case: ß and ẞ meet in ss, ς and Σ in σ.
    const lower = character.toLowerCase().toUpperCase().toLowerCase().replace(accents, '')
    folded += strokes[lower] ?? lower
  }
  return folded
}

const kinds: readonly TokenKind[] = ['space', 'run', 'word', 'symbol']
const kindForms = [
  /^[\s\p{Cc}\p{Z}]$/u,
  /^(?=[\p{L}\p{N}\p{M}])[\p{scx=Hangul}\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Bopomofo}]$/u,
  /^[\p{L}\p{N}\p{M}]$/u,
]
/** The kind of each code point that was met, as its index plus 1: a look-up is ten times as fast as the patterns. */
const known = new Uint8Array(0x110000)

function kindOf(character: string): TokenKind {
  const code = character.codePointAt(0) ?? 0
  let index = known[code] ?? 0
  if (index === 0) {
    const found = kindForms.findIndex((form) => form.test(character))
    index = (found < 0 ? kindForms.length : found) + 1
    known[code] = index
  }
  return kinds[index - 1] ?? 'symbol'
}

/** Reads a text. Each symbol is a token of its own; of the other kinds, neighbours are one token. */
export function readText(text: string): Token[] {
  const tokens: Token[] = []
  let last: Token | undefined
  for (const { 0: source, index: start } of text.matchAll(cluster)) {
    for (const character of fold(source)) {
      const kind = kindOf(character)
      if (last?.kind !== kind || kind === 'symbol') {
        last = { kind, characters: [], starts: [], ends: [] }
        tokens.push(last)
      } else if (kind === 'space') continue
      last.characters.push(kind === 'space' ? ' ' : character)
      last.starts.push(start)
      last.ends.push(start + source.length)
    }
  }
  return tokens
}
