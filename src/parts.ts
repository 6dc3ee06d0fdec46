// The App record: the parts of an open node that the features use. A record instead of module singletons, so that two nodes can
// run in one process, as they do in the tests. app.ts opens the parts. A feature that keeps something on a node declares its own
// part (`declare module '../parts.ts'`), so that this file knows no feature.

import type { Bus } from './bus/bus.ts'
import type { Counters } from './bus/counters.ts'
import type { Clock } from './clock.ts'
import type { Config, VapidKeys } from './config/config.ts'
import type { Journal } from './journal/journal.ts'
import type { Standby } from './journal/standby.ts'
import type { Log } from './log/log.ts'
import type { RepeatLog } from './log/repeats.ts'
import type { Store } from './store/store.ts'

/** The parts of an open node. */
export interface App {
  readonly config: Config
  /** Identifies this installation to push services; null: there is no Web Push. */
  readonly vapid: VapidKeys | null
  readonly clock: Clock
  readonly log: Log
  /** For events that may happen many times a second: logged once per interval, with their count. */
  readonly repeats: RepeatLog
  readonly store: Store
  readonly standby: Standby
  readonly bus: Bus
  readonly counters: Counters
  readonly journal: Journal
}
