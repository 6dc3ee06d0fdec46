// Notices when Postgres takes no writes: a standby, a read-only database and a full disk still answer queries. A node notices by
// the errors of its writes, and by a probe at each readiness check.

import { Outage, type OutageWords } from '../log/outage.ts'
import type { App } from '../parts.ts'
import { sqlStateOf } from '../store/postgres.ts'
import { statement } from '../store/reader.ts'

/** How long the result of a probe is valid. */
const validMs = 2_000
/** How long a refused write outweighs the probe: the tables may be on another disk than the probe's file. */
const doubtMs = 5_000

/**
 * An update of no row, which a read-only transaction refuses; and a list that does not fit into memory, so that Postgres writes
 * it to a temporary file beside the database, which a full disk refuses. It leaves nothing behind and locks nothing.
 */
const probe = statement<object>(
  'writable_probe',
  `do $$ begin
     update push_progress set position = position where false;
     perform set_config('work_mem', '64kB', true), set_config('temp_tablespaces', '', true);
     perform count(*) from generate_series(1, 8000);
   end $$`,
)

/** Causes by SQLSTATE: a read-only transaction, a full disk, and a failing disk. */
const refusals: ReadonlyMap<string, string> = new Map([
  ['25006', 'it is read-only'],
  ['53100', 'its disk is full'],
  ['58030', 'its disk fails'],
])
const refusalOf = (error: unknown): string | null => refusals.get(sqlStateOf(error) ?? '') ?? null

const words: OutageWords = {
  away: 'Postgres takes no writes: sends and changes are refused with UNAVAILABLE, and this node is not ready. Reads still work',
  back: 'Postgres takes writes again',
  causeOf: refusalOf,
}

/** Watches whether Postgres takes writes. */
export type WriteWatch = {
  /** Whether Postgres takes writes, as far as the node knows. However often it is called, it probes at most every 2 s. */
  isWritable(): Promise<boolean>
  close(): void
}

/** Opens the watch. */
export function openWriteWatch(app: App): WriteWatch {
  const outage = new Outage(app.log, words)
  let lastProbe: { at: number; answer: Promise<boolean> } | null = null
  let refused: { error: unknown; at: number } | null = null
  let again: NodeJS.Timeout | null = null
  let isClosed = false

  const note = (error: unknown) => {
    if (refusalOf(error) === null || isClosed) return
    refused = { error, at: Date.now() }
    outage.lost('writes', error)
    // Probe without readiness checks too, so that the node notices the end even if nothing checks its health.
    again ??= setInterval(() => void probeIfDue(), validMs).unref()
  }
  const probeOnce = async (): Promise<boolean> => {
    try {
      await app.store.reader.rows(probe, [])
    } catch (error) {
      // If the probe itself was refused, the next probe notices the end of it.
      if (refused?.error === error) refused = null
      // The journal reports whether Postgres is reachable at all.
      return refusalOf(error) === null
    }
    if (refused && Date.now() - refused.at < doubtMs) return false
    refused = null
    if (again) clearInterval(again)
    again = null
    outage.regained('writes')
    return true
  }
  const probeIfDue = () => {
    if (lastProbe && Date.now() - lastProbe.at < validMs) return lastProbe.answer
    lastProbe = { at: Date.now(), answer: probeOnce() }
    return lastProbe.answer
  }
  app.store.onRefused(note)

  return {
    // A write that was refused after the last probe is newer than its result.
    isWritable: async () => (refused && refused.at > (lastProbe?.at ?? 0) ? false : probeIfDue()),
    close() {
      isClosed = true
      if (again) clearInterval(again)
      outage.close()
    },
  }
}
