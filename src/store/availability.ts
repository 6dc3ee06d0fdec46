// Notices that Postgres is away by a statement that every node runs all the time: the look at the journal's head, every 250 ms.

import type { Outage, OutageWords } from '../log/outage.ts'
import { isTransient, sqlStateOf } from './postgres.ts'
import type { Reader } from './reader.ts'

/** The log lines for when Postgres is lost and when it is back. */
export const postgresWords: OutageWords = {
  away: 'Postgres is away: sends and reads are refused with UNAVAILABLE until it is back; streams stay open, and nothing that was acknowledged is lost',
  back: 'Postgres is back: sends and reads work again, and streams continue',
  causeOf(error) {
    const state = sqlStateOf(error) ?? ''
    if (/^57P0[12]/.test(state)) return 'it was shut down'
    if (state === '57P03') return 'it is starting, or accepts no connections at the moment'
    if (state.startsWith('28')) return 'it rejects the user or the password in DATABASE_URL'
    return state === '53300' ? 'it has no free connections: raise max_connections, or run fewer nodes' : null
  },
}

/** How many failures in a row mean that Postgres is away: a single broken connection is no outage. */
const failuresMax = 2
/** SQLSTATEs of failed statements that prove that Postgres is there. */
const isThere = /^(40|55|57014)/

/** A reader that reports to an outage whether Postgres answers its statements. */
export function reportingReader(reader: Reader, outage: Outage): Reader {
  let failures = 0
  return {
    async rows(statement, values) {
      try {
        const rows = await reader.rows(statement, values)
        failures = 0
        outage.regained('journal')
        return rows
      } catch (error) {
        if (isTransient(error) && !isThere.test(sqlStateOf(error) ?? '')) {
          failures += 1
          if (failures >= failuresMax) outage.lost('journal', error)
        }
        throw error
      }
    },
  }
}
