// Removes reports, with their copies, when their time is over. It only compares times, so it may run on several nodes at once.

import type { App } from '../parts.ts'
import { BackgroundLoop } from '../store/background-loop.ts'
import { statement } from '../store/reader.ts'
import { keptMs } from './row.ts'

const everyMs = 3_600_000
const stepRows = 100

const expire = statement<{ id: number }>(
  'reports_expire',
  `delete from report where id = any(array(select id from report where created_at < $1 order by created_at limit ${stepRows})) returning id`,
)

/** Opens the sweeper of a node. */
export function openReportSweeper({ clock, log, store }: App): BackgroundLoop {
  const run = async (closing: AbortSignal) => {
    const before = new Date(clock.now() - keptMs)
    while (!closing.aborted && (await store.jobs.reader.rows(expire, [before])).length === stepRows);
  }
  return new BackgroundLoop({ everyMs, gatherMs: 200, failure: 'old reports could not be removed', run }, log)
}
