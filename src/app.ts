// The composition root: opens every part of a node in order, and closes them in reverse. Only its HTTP server is opened
// elsewhere (server/server.ts), after everything that its requests need.

import { type Guard, openGuard } from './account/guard.ts'
import { openProfileChanges } from './account/profile-changes.ts'
import { createTokens } from './account/tokens.ts'
import { openFileWorkers } from './attachment/file-workers.ts'
import { openFiles } from './attachment/files.ts'
import { openSweeper } from './attachment/sweeper.ts'
import { checkRedis } from './bus/check-redis.ts'
import { openMemoryCounters, openRedisCounters } from './bus/counters.ts'
import { openMemoryBus } from './bus/memory.ts'
import { openMemoryLeases } from './bus/memory-leases.ts'
import { openRedisBus } from './bus/redis.ts'
import { redisWords } from './bus/redis-faults.ts'
import { openRedisLeases } from './bus/redis-leases.ts'
import { createSeal } from './bus/seal.ts'
import { type Clock, systemClock } from './clock.ts'
import type { Config, VapidKeys } from './config/config.ts'
import { Challenges } from './encryption/challenges.ts'
import { endDevice } from './encryption/device-actions.ts'
import { openDeviceSweeper } from './encryption/device-sweeper.ts'
import { StartError } from './errors.ts'
import { attachmentUses, erasures, factKinds } from './features.ts'
import { openNodeRegistry } from './gateway/node-registry.ts'
import { openJournal } from './journal/journal.ts'
import { noStandby, openStandby } from './journal/standby.ts'
import { deriveKeys, type Secrets } from './keys.ts'
import type { Log, ReportProgress } from './log/log.ts'
import { Outage } from './log/outage.ts'
import { RepeatLog } from './log/repeats.ts'
import { openBeforeSend } from './message/before-send.ts'
import { openDeliveryMarkers } from './message/delivery-markers.ts'
import { messageKinds } from './message/events.ts'
import { openPostingRules } from './message/posting-rules.ts'
import { openReadMarkers } from './message/read-markers.ts'
import { SendOrder } from './message/send-order.ts'
import { createWordRules } from './message/word-rules.ts'
import { reportFlagged } from './moderation/flag-actions.ts'
import { openReportSweeper } from './moderation/sweeper.ts'
import type { App } from './parts.ts'
import { openAudit } from './platform/audit.ts'
import { openChanges } from './platform/change-stream.ts'
import { type KeyGuard, openKeyGuard } from './platform/key-guard.ts'
import { DeviceService } from './presence/device-service.ts'
import { PresenceService, presenceTopic } from './presence/presence-service.ts'
import { openSignalService } from './presence/signal-service.ts'
import { openTypingService } from './presence/typing-service.ts'
import { openPush } from './push/push.ts'
import { type Indexer, openIndexer } from './search/indexer.ts'
import { explain } from './store/explain.ts'
import { migrate } from './store/migrate.ts'
import { openReadPool } from './store/read-pool.ts'
import { openStore } from './store/store.ts'
import { noteKeys } from './store/token-keys.ts'
import { openAcknowledgements } from './sync/acknowledgements.ts'

/** Where a node finds its installation. */
export type Foundation = {
  readonly databaseUrl: string
  /** The same on all nodes of an installation; the first one signs. */
  readonly tokenSecrets: Secrets
  /** null: there is no Web Push. */
  readonly vapid: VapidKeys | null
}

/** An open node, without its HTTP server. */
export type OpenApp = App & {
  readonly guard: Guard
  readonly keyGuard: KeyGuard
  readonly indexer: Indexer
  close(): Promise<void>
}

/**
 * Opens a node on a database, and brings the schema up to date. Reports slow steps to `report`, by default to the log. `clock` is
 * the machine's, except in tests.
 * @throws StartError with a sentence for the operator
 */
export async function openApp(
  config: Config,
  { databaseUrl, tokenSecrets, vapid }: Foundation,
  log: Log,
  report?: ReportProgress,
  clock: Clock = systemClock,
): Promise<OpenApp> {
  await migrate(databaseUrl, log, report)
  const closers: (() => Promise<void>)[] = []
  const close = async () => {
    for (const closeNext of closers.splice(0).reverse()) await closeNext()
  }
  /** Closes this part when its turn comes. */
  const keep = <Part extends { close(): Promise<void> | void }>(part: Part): Part => {
    closers.push(async () => part.close())
    return part
  }
  try {
    const repeats = keep(new RepeatLog(log))
    const store = keep(openStore(databaseUrl, config.journal.appendLanes, log))
    const keys = deriveKeys(tokenSecrets)
    await noteKeys(store.reader, keys, log)
    const { redis } = config
    if (redis !== null) await checkRedis(redis)
    const outage = new Outage(log, redisWords)
    const bus = keep(
      redis === null ? openMemoryBus(clock, log, repeats) : openRedisBus(redis, createSeal(keys), clock, outage, log, repeats),
    )
    const journal = keep(await openJournal(store, bus, config.journal, factKinds, log, repeats))
    const { databaseReadUrl } = config
    const standby = databaseReadUrl === null ? noStandby : keep(openStandby(openReadPool(databaseReadUrl, log), journal, log))
    const counters = keep(
      redis === null ? openMemoryCounters() : openRedisCounters(redis, () => journal.topic('counters'), outage),
    )
    const readMarkers = keep(openReadMarkers(journal))
    const deliveryMarkers = keep(openDeliveryMarkers(journal, store.reader, log))
    const acknowledgements = keep(openAcknowledgements(journal, store.prisma, deliveryMarkers))
    const profileChanges = keep(openProfileChanges(journal, config.limits.profileChangesEveryMs))
    const nodes = keep(openNodeRegistry(bus, clock, journal, log))
    const leases = keep(
      redis === null
        ? openMemoryLeases(bus, clock, (userId) => journal.topic(presenceTopic(bus.slots, userId)))
        : openRedisLeases(redis, () => journal.topic('presence'), clock, outage),
    )
    // Closes before bus and leases, so that their end does not count as an outage.
    keep(outage)
    const presence = keep(new PresenceService(leases, clock, bus, journal, store.reader, log))
    const devices = keep(new DeviceService(leases, config.presence.ttlMs, clock, journal, store, log))
    const typing = keep(openTypingService(bus, clock, journal, devices))
    const signals = openSignalService(bus, journal)
    const { beforeSend: hook, limits } = config
    const postingRules = await openPostingRules(journal, store.reader, log)
    const beforeSend = hook && openBeforeSend(hook, limits.messageTextMax, { log, repeats, store })
    const wordRules = createWordRules(config.words, reportFlagged)
    const audit = keep(openAudit(store, log))
    const changes = openChanges({ journal })
    const files = keep(await openFiles(config, store, keys, clock))
    const tokens = createTokens(tokenSecrets, config.tokens.accessTtlS, config.identityProvider, clock)
    const app: App = {
      ...{ config, vapid, clock, log, repeats, tokens, store, standby, bus, counters, journal, erasures },
      ...{ audit, beforeSend, postingRules, wordRules, changes, files, attachmentUses, sendOrder: new SendOrder() },
      ...{ readMarkers, deliveryMarkers, acknowledgements, profileChanges, typing, signals, nodes, devices, presence },
      challenges: new Challenges(keys, clock),
    }
    const guard = keep(await openGuard(app))
    guard.onRevoked((sessionId) => devices.endSession(sessionId))
    const deviceSweeper = keep(openDeviceSweeper(app, endDevice))
    guard.onRevoked(() => deviceSweeper.wake())
    const keyGuard = keep(openKeyGuard(app))
    const indexer = keep(openIndexer(app))
    keep(openPush(app))
    keep(openFileWorkers(app))
    keep(openSweeper(app, ({ kind }) => kind === messageKinds.MessageDeleted.number))
    keep(openReportSweeper(app))
    return { ...app, guard, keyGuard, indexer, close }
  } catch (error) {
    await close()
    throw error instanceof StartError ? error : (explain(error, databaseUrl) ?? error)
  }
}
