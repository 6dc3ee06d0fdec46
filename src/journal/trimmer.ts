// The trimmer removes facts that are older than the journal's retention, in small steps, and raises the floor with each step
// (A9, B12). Every node has one; a lock in Postgres lets one of them work at a time. A device behind the floor learns of it from
// its stream. The trimmer leaves the results of facts (messages, members, audiences) alone.

import { setTimeout as delay } from 'node:timers/promises'
import type { Position } from '../id.ts'
import type { Log } from '../log/log.ts'
import { BackgroundLoop } from '../store/background-loop.ts'
import { type Reader, statement } from '../store/reader.ts'

/** Appends wait for each step. A step of this size takes a few milliseconds. */
const stepFacts = 500
/** The pause between steps, for other work. It limits the trimmer to about 20,000 facts per second. */
const pauseMs = 25
/** How often to look for facts that are too old; more often if the retention is only minutes. */
const lookMs = 60_000

const trim = statement<{ removed: number | null; floor: Position | null }>(
  'journal_trim_batch',
  'call journal_trim_batch(make_interval(secs => $1), $2, null, null)',
)

/** Opens the trimmer of a node. It runs at once and then at intervals. Closing it waits for the step that is under way. */
export function openTrimmer(reader: Reader, retentionS: number, log: Log): BackgroundLoop {
  const run = async (closing: AbortSignal) => {
    let removed = 0
    let floor: Position | null = null
    while (!closing.aborted) {
      const [step] = await reader.rows(trim, [retentionS, stepFacts])
      removed += step?.removed ?? 0
      floor = step?.floor ?? floor
      // No more facts are too old, or another node is trimming.
      if ((step?.removed ?? 0) < stepFacts) break
      await delay(pauseMs, undefined, { signal: closing }).catch(() => undefined)
    }
    if (removed > 0) log.info({ removed, floor }, 'old facts were trimmed')
  }
  const everyMs = Math.min(lookMs, retentionS * 100)
  return new BackgroundLoop({ everyMs, gatherMs: 0, failure: 'the journal could not be trimmed', run }, log)
}
