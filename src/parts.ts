// The App record: the parts of an open node that the features use. A record instead of module singletons, so that two nodes can
// run in one process, as they do in the tests. app.ts opens the parts.

import type { Bus } from './bus/bus.ts'
import type { Counters } from './bus/counters.ts'
import type { Clock } from './clock.ts'
import type { Config, VapidKeys } from './config.ts'
import type { NodeRegistry } from './gateway/node-registry.ts'
import type { Journal } from './journal/journal.ts'
import type { Log } from './log.ts'
import type { ReadMarkers } from './message/read-markers.ts'
import type { DeviceService } from './presence/device-service.ts'
import type { PresenceService } from './presence/presence-service.ts'
import type { TypingService } from './presence/typing-service.ts'
import type { RepeatLog } from './repeats.ts'
import type { Store } from './store/store.ts'
import type { Acknowledgements } from './sync/acknowledgements.ts'
import type { Tokens } from './tokens.ts'

/** The parts of an open node. */
export type App = {
  readonly config: Config
  /** Identifies this installation to push services; null: there is no Web Push. */
  readonly vapid: VapidKeys | null
  readonly clock: Clock
  readonly log: Log
  /** For events that may happen many times a second: logged once per interval, with their count. */
  readonly repeats: RepeatLog
  readonly tokens: Tokens
  readonly store: Store
  readonly bus: Bus
  readonly counters: Counters
  readonly journal: Journal
  readonly readMarkers: ReadMarkers
  readonly acknowledgements: Acknowledgements
  readonly typing: TypingService
  readonly nodes: NodeRegistry
  readonly devices: DeviceService
  readonly presence: PresenceService
}
