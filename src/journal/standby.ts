// Reads from a standby. It serves an operation once it has replayed what this node had seen when the operation began, so an answer is
// never older than the events that the client already has from this node. If that takes too long, or the standby fails, the primary answers.

import { setTimeout as delay } from 'node:timers/promises'
import type { Log } from '../log/log.ts'
import type { ReadPool } from '../store/read-pool.ts'
import type { Reader, Statement } from '../store/reader.ts'
import type { Place } from './fact.ts'
import type { Journal } from './journal.ts'
import { readHead } from './tables.ts'

/** How long an operation waits for the standby. */
const patienceMs = 100
/** The pause between two looks at how far the standby is. */
const lookMs = 5
/** After a failure the standby is left alone for this long. */
const failedMs = 1_000

/** The standby of a node, if it has one. */
export type Standby = {
  /** A reader for one operation that arrives now: on the standby if it is far enough, otherwise on `primary`. */
  readerFor(primary: Reader): Reader
  /** How many operations have read from the standby, and how many from the primary although there is a standby. */
  counts(): { readonly standby: number; readonly primary: number }
  close(): Promise<void>
}

/** No standby: the primary answers everything. */
export const noStandby: Standby = {
  readerFor: (primary) => primary,
  counts: () => ({ standby: 0, primary: 0 }),
  close: async () => {},
}

/** Opens the standby of a node; does not wait for it. */
export function openStandby(pool: ReadPool, journal: Journal, log: Log): Standby {
  const { reader } = pool
  const counts = { standby: 0, primary: 0 }
  /** The place up to which the standby is known to have replayed this history. */
  let replayed: Place | null = null
  let restingUntil = 0
  let looking: Promise<void> | null = null
  journal.onRestart(() => {
    replayed = null
  })

  function rest(error: unknown): void {
    replayed = null
    restingUntil = performance.now() + failedMs
    log.debug({ err: error }, 'the standby could not be read: the primary answers')
  }
  async function look(): Promise<void> {
    try {
      const head = await readHead(reader)
      // Of what is ahead of this node it cannot tell whether it belongs to this history.
      replayed = journal.holds(head) === false ? null : head
    } catch (error) {
      rest(error)
    }
  }
  async function reaches({ position }: Place): Promise<boolean> {
    const deadline = performance.now() + patienceMs
    for (;;) {
      const now = performance.now()
      if (now < restingUntil) return false
      if (replayed !== null && replayed.position >= position) return true
      if (now >= deadline) return false
      looking ??= look().finally(() => {
        looking = null
      })
      await Promise.race([looking, delay(deadline - now)])
      if (replayed === null || replayed.position < position) await delay(lookMs)
    }
  }

  return {
    readerFor(primary) {
      let choice: Promise<boolean> | null = null
      const choose = async () => {
        // No earlier than the cursor that the answer gets (graphql/place.ts).
        const isStandby = await reaches(journal.head())
        counts[isStandby ? 'standby' : 'primary'] += 1
        return isStandby
      }
      return {
        async rows<Row>(statement: Statement<Row>, values: readonly unknown[]) {
          choice ??= choose()
          if (!(await choice)) return primary.rows(statement, values)
          try {
            return await reader.rows(statement, values)
          } catch (error) {
            // Also when replaying has cancelled the statement. What is really wrong with it, the primary says again.
            rest(error)
            choice = Promise.resolve(false)
            return primary.rows(statement, values)
          }
        },
      }
    },
    counts: () => ({ ...counts }),
    close: () => pool.close(),
  }
}
