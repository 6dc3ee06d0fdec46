// Splits a text into tokens for search. Pure. Messages and queries go through the same function, so equal texts match.
// src/account/fold.ts decides which letters are equal.
//
//   word             letters and digits without a space between them.
//   run              characters of scripts that are written without spaces, such as Han, kana, Hangul, Thai, Lao, Khmer and
//                    Burmese. A query matches any part of it.
//   emoji            a whole sequence.
//   symbol           any other character: %, _, *, a quote.

import { readPieces } from '../account/fold.ts'

/** The kind of a token. */
export type TokenKind = 'word' | 'run' | 'emoji' | 'symbol' | 'space'

/** A piece of a text. */
export type Token = {
  readonly kind: TokenKind
  /** Its characters after folding: code points, or one whole emoji. White space of any length is one character. */
  readonly characters: string[]
  /** The range of the text that each character comes from, in UTF-16 units, the end excluded. */
  readonly starts: number[]
  readonly ends: number[]
  /** The indexes in a word at which a sign begins or ends: Parley™ is `parleytm`, with a break before the t. */
  breaks: number[] | null
}

const kinds: readonly TokenKind[] = ['space', 'run', 'word', 'symbol']
const kindForms = [
  /^[\s\p{Cc}\p{Z}]$/u,
  /^(?=[\p{L}\p{N}\p{M}])[\p{scx=Hangul}\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Bopomofo}\p{scx=Thai}\p{scx=Lao}\p{scx=Khmer}\p{scx=Myanmar}\p{scx=Tai_Le}\p{scx=New_Tai_Lue}\p{scx=Tai_Tham}\p{scx=Tai_Viet}\p{scx=Ahom}\p{scx=Balinese}\p{scx=Javanese}\p{scx=Yi}]$/u,
  /^[\p{L}\p{N}\p{M}]$/u,
]
/** The kinds of known code points, as index plus 1: a look-up is ten times as fast as the patterns. */
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

const empty = (kind: TokenKind): Token => ({ kind, characters: [], starts: [], ends: [], breaks: null })

/** Splits a text into tokens. Each symbol and each emoji is one token; neighbouring characters of another kind are one token. */
export function readText(text: string): Token[] {
  const tokens: Token[] = []
  let last: Token | undefined
  let wasSign = false
  const add = (character: string, kind: TokenKind, start: number, end: number, isSign: boolean) => {
    if (last?.kind !== kind || kind === 'symbol' || kind === 'emoji') {
      last = empty(kind)
      tokens.push(last)
    } else if (kind === 'space') return
    else if (kind === 'word' && isSign !== wasSign) {
      last.breaks ??= []
      last.breaks.push(last.characters.length)
    }
    wasSign = isSign
    last.characters.push(kind === 'space' ? ' ' : character)
    last.starts.push(start)
    last.ends.push(end)
  }
  readPieces(text, (folded, start, end, pieceKind) => {
    const isSign = pieceKind === 'sign'
    if (pieceKind === 'emoji') add(folded, 'emoji', start, end, false)
    else if (folded.length === 1) add(folded, kindOf(folded), start, end, isSign)
    else for (const character of folded) add(character, kindOf(character), start, end, isSign)
  })
  return tokens
}

/**
 * Splits a text for the index. After a space, it repeats words that contain signs, with the signs apart from the letters: so
 * `parley` and `parleytm` both find `Parley™`, and `h2o` finds H₂O.
 */
export function readFindable(text: string): Token[] {
  const tokens = readText(text)
  if (tokens.every(({ breaks }) => breaks === null)) return tokens
  const apart: Token[] = []
  let chunk: Token[] = []
  const endChunk = () => {
    if (chunk.some(({ breaks }) => breaks !== null)) {
      const at = chunk[0]?.starts[0] ?? 0
      apart.push({ ...empty('space'), characters: [' '], starts: [at], ends: [at] }, ...chunk.flatMap(split))
    }
    chunk = []
  }
  for (const token of tokens) {
    if (token.kind === 'space') endChunk()
    else chunk.push(token)
  }
  endChunk()
  return [...tokens, ...apart]
}

function split(token: Token): Token[] {
  const { kind, characters, starts, ends, breaks } = token
  if (breaks === null) return [token]
  return [0, ...breaks].map((from, i) => {
    const upTo = breaks[i] ?? characters.length
    return {
      kind,
      characters: characters.slice(from, upTo),
      starts: starts.slice(from, upTo),
      ends: ends.slice(from, upTo),
      breaks: null,
    }
  })
}
