// What the index holds of a message, and what a query asks of the index. Pure.
//
// Two forms of each text. Its *terms* find candidates fast: words, pairs of neighbours in a run, symbols. Its *body* decides:
// the folded text with a mark before and after each word, so that "a part of the query occurs here, from the beginning of a
// word on" is a plain search for a substring, in Postgres and here alike.

import { readText, type Token } from './text.ts'

/** What the index keeps of a text: `terms` in the text form of a tsvector. */
export type Indexed = { readonly terms: string; readonly body: string }

/** What a query asks for: `wanted` in the text form of a tsquery, and parts of which each must occur in the body. */
export type Query = { readonly wanted: string; readonly parts: readonly string[] }

/** Control characters never come out of `readText`: no text can hold these marks. */
export const marks = { wordStart: '\u001f', wordEnd: '\u001e' } as const

/** A tsvector takes 1 MiB. So many terms of at most 64 characters fit, whatever is written. */
const termsMax = 60_000
const wordMax = 64

/** The text form of a lexeme. Inside the quotes every character but these two is a letter. */
const quote = (term: string) => `'${term.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`

/** The pairs of neighbours in a run. */
function pairsOf({ characters }: Token): string[] {
  return characters.slice(1).map((character, i) => `${characters[i]}${character}`)
}

/**
 * The terms of a token in a message. Of a run also its last character alone: with it every character of a run begins a
 * term, and one syllable is found as the beginning of terms.
 */
function termsOf(token: Token): string[] {
  if (token.kind === 'space') return []
  if (token.kind === 'run') return [...pairsOf(token), token.characters.at(-1) ?? '']
  return [wordOf(token)]
}

const wordOf = ({ characters }: Token) => characters.slice(0, wordMax).join('')

/** A token as the body holds it; `isOpen` leaves off the mark after a word, so that longer words are met too. */
function bodyOf({ kind, characters }: Token, isOpen = false): string {
  const text = characters.join('')
  return kind === 'word' ? `${marks.wordStart}${text}${isOpen ? '' : marks.wordEnd}` : text
}

/** What the index keeps of a message's text; null for a text in which there is nothing to find. */
export function indexText(text: string): Indexed | null {
  const tokens = readText(text)
  const terms = new Set<string>()
  for (const term of tokens.flatMap(termsOf)) {
    if (terms.size < termsMax) terms.add(term)
  }
  if (terms.size === 0) return null
  return { terms: [...terms].map(quote).join(' '), body: tokens.map((token) => bodyOf(token)).join('') }
}

/**
 * Reads a query: all of its parts, divided by white space, must occur, in any order. The word at its very end may be the
 * beginning of a longer one. Null for a query that holds nothing to look for.
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
