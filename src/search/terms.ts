// Makes the index entries of a message, and reads queries. Pure.
//
// Each text has two forms. Its *terms* find candidates fast: words, pairs of neighbours in a run, symbols. Its *body* decides:
// the folded text with a mark before and after each word and each emoji. So "a part of the query occurs here, from the beginning
// of a word" is a plain search for a substring, in Postgres and here alike.

import { readFindable, readText, type Token } from './text.ts'

/** The index entries of a text. `terms` is in the text form of a tsvector. */
export type Indexed = { readonly terms: string; readonly body: string }

/** A query. `wanted` is in the text form of a tsquery; each of `parts` must occur in the body. */
export type Query = { readonly wanted: string; readonly parts: readonly string[] }

/** The marks in a body. `readText` never returns control characters, so no text contains them. */
export const marks = { word: ['\u001f', '\u001e'], emoji: ['\u001d', '\u001d'] } as const

const noMarks = ['', ''] as const

/** A tsvector has at most 1 MiB: this many terms of at most 64 characters fit, whatever the text. */
const termsMax = 60_000
const wordMax = 64

/** The text form of a lexeme. Inside the quotes, only these two characters are special. */
const quote = (term: string) => `'${term.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`

/** The pairs of neighbours in a run. */
function pairsOf({ characters }: Token): string[] {
  return characters.slice(1).map((character, i) => `${characters[i]}${character}`)
}

/**
 * The terms of a token in a message. A run also gets its last character as a term: then each of its characters begins a term, and
 * a query of one character finds it by prefix.
 */
function termsOf(token: Token): string[] {
  if (token.kind === 'space') return []
  if (token.kind === 'run') return [...pairsOf(token), token.characters.at(-1) ?? '']
  return [wordOf(token)]
}

const wordOf = ({ characters }: Token) => characters.slice(0, wordMax).join('')

/** A token in its form in the body. `isOpen` omits the mark after a word, so that longer words match too. */
function bodyOf({ kind, characters }: Token, isOpen = false): string {
  const text = characters.join('')
  const [start, end] = marksOf(kind)
  return `${start}${text}${isOpen && kind === 'word' ? '' : end}`
}

/** The marks around a token in the body. Words have one kind; emoji have another, so that a part of an emoji never matches. */
export const marksOf = (kind: Token['kind']) => (kind === 'word' || kind === 'emoji' ? marks[kind] : noMarks)

/** Makes the index entries of a message's text; null if there is nothing to find in it. */
export function indexText(text: string): Indexed | null {
  const tokens = readFindable(text)
  const terms = new Set<string>()
  for (const term of tokens.flatMap(termsOf)) {
    if (terms.size < termsMax) terms.add(term)
  }
  if (terms.size === 0) return null
  return { terms: [...terms].map(quote).join(' '), body: tokens.map((token) => bodyOf(token)).join('') }
}

/**
 * Reads a query. All of its parts, separated by white space, must occur, in any order. The word at its very end also matches the
 * beginning of a longer word. Null if the query contains nothing to search for.
 */
export function parseQuery(text: string): Query | null {
  const tokens = readText(text.trim())
  const wanted = new Set<string>()
  const parts = ['']
  for (const [i, token] of tokens.entries()) {
    const isLast = i === tokens.length - 1
    if (token.kind === 'space') {
      parts.push('')
      continue
    }
    parts.push(`${parts.pop() ?? ''}${bodyOf(token, isLast)}`)
    for (const term of wantedOf(token, isLast)) wanted.add(term)
  }
  const given = [...new Set(parts)].filter((part) => part !== '')
  return wanted.size === 0 ? null : { wanted: [...wanted].join(' & '), parts: given }
}

function wantedOf(token: Token, isLast: boolean): string[] {
  if (token.kind === 'run') {
    return token.characters.length > 1 ? pairsOf(token).map(quote) : [`${quote(token.characters.join(''))}:*`]
  }
  const isBeginning = isLast && token.kind === 'word' && token.characters.length <= wordMax
  return [`${quote(wordOf(token))}${isBeginning ? ':*' : ''}`]
}
