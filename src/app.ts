// The App record: what is open while a node runs. One record in place of module singletons, so that two nodes can live in
// one process, as they do in the tests. Opened in order, closed in reverse.

import type { Bus } from './bus/bus.ts'
import { openMemoryBus } from './bus/memory.ts'
import { openMemoryLeases } from './bus/memory-leases.ts'
import { openRedisBus } from './bus/redis.ts'
import { checkRedis, redisWords } from './bus/redis-faults.ts'
import { openRedisLeases } from './bus/redis-leases.ts'
import { createSeal } from './bus/seal.ts'
import { type Clock, systemClock } from './clock.ts'
import type { Config } from './config.ts'
import { StartError } from './errors.ts'
import { factKinds } from './facts.ts'
import { type NodeRegistry, openNodeRegistry } from './gateway/node-registry.ts'
import { type Journal, openJournal } from './journal/journal.ts'
import { deriveKeys, type Secrets } from './keys.ts'
import type { Log, ReportProgress } from './log.ts'
import { openReadMarkers, type ReadMarkers } from './message/read-markers.ts'
import { Outage } from './outage.ts'
import { DeviceService } from './presence/device-service.ts'
import { PresenceService, presenceTopic } from './presence/presence-service.ts'
import { openTypingService, type TypingService } from './presence/typing-service.ts'
import { RepeatLog } from './repeats.ts'
import { explain } from './store/explain.ts'
import { migrate } from './store/migrate.ts'
import { openStore, type Store } from './store/store.ts'
import { noteKeys } from './store/token-keys.ts'
import { type Acknowledgements, openAcknowledgements } from './sync/acknowledgements.ts'
import { createTokens, type Tokens } from './tokens.ts'

/** One open node, without its door to the network. */
export type App = {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  /** For what may happen many times a second: logged once per interval, with its count. */
  readonly repeats: RepeatLog
  readonly tokens: Tokens
  readonly store: Store
  readonly bus: Bus
  readonly journal: Journal
  readonly readMarkers: ReadMarkers
  readonly acknowledgements: Acknowledgements
  readonly typing: TypingService
  readonly nodes: NodeRegistry
  readonly devices: DeviceService
  readonly presence: PresenceService
  close(): Promise<void>
}

/**
 * Opens a node on a database, bringing its schema up to date. The secrets are the same on all nodes of an installation; the first one signs.
 * `report` gets what takes long; by default the log does. `clock` is the machine's, unless a test turns one.
 * @throws StartError with a sentence for the person who starts it.
 */
export async function openApp(
  config: Config,
  databaseUrl: string,
  secrets: Secrets,
  log: Log,
  report?: ReportProgress,
  clock: Clock = systemClock,
): Promise<App> {
  await migrate(databaseUrl, log, report)
  const closers: (() => Promise<void>)[] = []
  const close = async () => {
    for (const closeNext of closers.splice(0).reverse()) await closeNext()
  }
  const repeats = new RepeatLog(log)
  closers.push(async () => repeats.close())
  try {
    const store = openStore(databaseUrl, config.journal.appendLanes, log)
    closers.push(() => store.close())
    const keys = deriveKeys(secrets)
    await noteKeys(store.reader, keys, log)
    if (config.redisUrl !== null) await checkRedis(config.redisUrl)
    const outage = new Outage(log, redisWords)
    const bus =
      config.redisUrl === null
        ? openMemoryBus(log, repeats)
        : openRedisBus(config.redisUrl, createSeal(keys), outage, log, repeats)
    closers.push(() => bus.close())
    const journal = await openJournal(store, bus, config.journal, factKinds, log, repeats)
    closers.push(() => journal.close())
    const readMarkers = openReadMarkers(journal)
    closers.push(() => readMarkers.close())
    const acknowledgements = openAcknowledgements(journal, store.prisma)
    closers.push(() => acknowledgements.close())
    const nodes = openNodeRegistry(bus, clock, journal)
    closers.push(() => nodes.close())
    const prefix = () => journal.topic('presence')
    const leases =
      config.redisUrl === null
        ? openMemoryLeases(bus, clock, (userId) => journal.topic(presenceTopic(userId)))
        : openRedisLeases(config.redisUrl, prefix, clock, outage)
    closers.push(() => leases.close())
    closers.push(async () => outage.close())
    const presence = new PresenceService(leases, clock, bus, journal, store.reader, log)
    closers.push(() => presence.close())
    const devices = new DeviceService(leases, config.presence.ttlMs, clock, journal, store, log)
    closers.push(() => devices.close())
    const typing = openTypingService(bus, clock, journal, devices)
    closers.push(() => typing.close())
    const tokens = createTokens(secrets, config.tokens.accessTtlS, config.identityProvider, clock)
    return {
      config,
      clock,
      log,
      repeats,
      tokens,
      store,
      bus,
      journal,
      readMarkers,
      acknowledgements,
      typing,
      nodes,
      devices,
      presence,
      close,
    }
  } catch (error) {
    await close()
    throw error instanceof StartError ? error : (explain(error, databaseUrl) ?? error)
  }
}
