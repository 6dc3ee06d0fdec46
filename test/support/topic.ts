// The topic of facts by its name in Redis, and its messages: for tests that read them.

import type pg from 'pg'
import { readIdentity, scopeOf } from '../../src/journal/scope.ts'
import type { Reader } from '../../src/store/reader.ts'

/** The topic of the facts of a database's nodes. */
export async function factsTopic(sql: pg.Client, installation = 'parley'): Promise<string> {
  const reader: Reader = {
    rows: async ({ name, text }, values) => (await sql.query({ name, text, values: [...values] })).rows,
  }
  const { rows } = await sql.query<{ epoch: string }>('select epoch from journal')
  return `${scopeOf(installation, await readIdentity(reader), rows[0]?.epoch ?? '')}:facts`
}

/** The content of a message, without its seal. */
export function unsealed(message: string): unknown {
  return JSON.parse(message.slice(22))
}
