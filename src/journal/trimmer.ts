// The trimmer: removes facts that are older than the journal is kept, in small steps, and raises the floor with each of them
// (A9, B12). Every node has one; a lock in Postgres lets one of them work at a time. Whoever is behind the floor is told so
// by its stream. What facts have made (messages, members, audiences) is not touched.

import { setTimeout as delay } from 'node:timers/promises'
import type { Log } from '../log.ts'
import { BackgroundLoop } from '../store/background-loop.ts'
import { type Reader, statement } from '../store/reader.ts'

/** Each append waits for a step. One of this size takes a few milliseconds. */
const stepFacts = 500
/** How long others have their turn between two steps: that bounds the trimmer to some 20,000 facts a second. */
const pauseMs = 25
/** How often it is looked for facts that have grown too old; more often where they are kept for minutes only. */
const lookMs = 60_000

const trim = statement<{ removed: number | null; floor: number | null }>(
  'journal_trim_batch',
  'call journal_trim_batch(make_interval(secs => $1), $2, null, null)',
)

/** Opens the trimmer of a node: it looks at once, and then now and again. Closing it ends it after the step that is under way. */
export function openTrimmer(reader: Reader, retentionS: number, log: Log): BackgroundLoop {
  const run = async (closing: AbortSignal) => {
    let removed = 0
    let floor: number | null = null
    while (!closing.aborted) {
      const [step] = await reader.rows(trim, [retentionS, stepFacts])
      removed += step?.removed ?? 0
      floor = step?.floor ?? floor
      // Nothing more is too old, or another node is at it.
      if ((step?.removed ?? 0) < stepFacts) break
      await delay(pauseMs, undefined, { signal: closing }).catch(() => undefined)
    }
    if (removed > 0) log.info({ removed, floor }, 'old facts were trimmed')
  }
  const everyMs = Math.min(lookMs, retentionS * 100)
  return new BackgroundLoop({ everyMs, gatherMs: 0, failure: 'the journal could not be trimmed', run }, log)
}
