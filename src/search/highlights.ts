// Finds where a query matches a text. Pure. It looks at the current text, not at the index, which may be behind.

import { marksOf, type Query } from './terms.ts'
import { readFindable } from './text.ts'

/** A range of a text, in UTF-16 units, the end excluded. */
export type TextRange = { readonly start: number; readonly end: number }

const rangesMax = 100

/**
 * The ranges of the text that match a part of the query, at most 100, in order, merged where they touch; null if a part of the
 * query is not in the text.
 */
export function findRanges(text: string, { parts }: Query): TextRange[] | null {
  const { body, starts, ends } = readBody(text)
  const found: TextRange[] = []
  for (const part of parts) {
    let at = body.indexOf(part)
    if (at < 0) return null
    for (let count = 0; at >= 0 && count < rangesMax; count += 1) {
      found.push({ start: starts[at] ?? 0, end: ends[at + part.length - 1] ?? 0 })
      at = body.indexOf(part, at + part.length)
    }
  }
  return merge(found).slice(0, rangesMax)
}

/** The body of a text, and for each of its UTF-16 units the range of the text that it comes from. */
function readBody(text: string): { body: string; starts: number[]; ends: number[] } {
  let body = ''
  const [starts, ends]: [number[], number[]] = [[], []]
  const add = (character: string, start = 0, end = 0) => {
    body += character
    for (let unit = 0; unit < character.length; unit += 1) {
      starts.push(start)
      ends.push(end)
    }
  }
  for (const token of readFindable(text)) {
    const [first, last] = [token.starts[0], token.ends.at(-1)]
    // A mark has no width in the text: the one before a word is at its start, the one after it at its end.
    const [before, after] = marksOf(token.kind)
    add(before, first, first)
    for (const [i, character] of token.characters.entries()) add(character, token.starts[i], token.ends[i])
    add(after, last, last)
  }
  return { body, starts, ends }
}

function merge(ranges: readonly TextRange[]): TextRange[] {
  const merged: TextRange[] = []
  for (const range of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = merged.at(-1)
    if (last && range.start <= last.end) merged[merged.length - 1] = { ...last, end: Math.max(last.end, range.end) }
    else merged.push(range)
  }
  return merged
}
