// The texts by which people, members and conversations are found.

import { z } from 'zod'
import { badInput } from '../errors.ts'
import { line } from '../graphql/input.ts'
import { foldText } from './fold.ts'

/** The longest text to search for, in characters. */
export const searchTextMax = 100

const form = line(searchTextMax)

/**
 * Folds a text that names are searched for, as names are folded. People write usernames with an @ in front, which stored names do not
 * have.
 * @returns '' if nothing is left to search for; then nothing matches
 * @throws ParleyError BAD_INPUT for the argument `query`
 */
export function parseSearchText(query: string): string {
  const parsed = z.object({ query: form }).safeParse({ query })
  if (!parsed.success) throw badInput('query', parsed.error.issues[0]?.message ?? 'is not valid')
  return foldText(parsed.data.query).replace(/^@+ ?/, '')
}

/** The SQL pattern of texts that begin with this one: `%` and `_` are not wildcards. */
export function beginningWith(text: string): string {
  return `${text.replaceAll(/[\\%_]/g, '\\$&')}%`
}
