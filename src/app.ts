// The App record: what is open while a node runs. One record in place of module singletons, so that two nodes can live in
// one process, as they do in the tests. Opened in order, closed in reverse.

import type { Bus } from './bus/bus.ts'
import { openMemoryBus } from './bus/memory.ts'
import { openMemoryLeases } from './bus/memory-leases.ts'
import { openRedisBus } from './bus/redis.ts'
import { openRedisLeases } from './bus/redis-leases.ts'
import type { Config } from './config.ts'
import { type Journal, openJournal } from './journal/journal.ts'
import type { Log } from './log.ts'
import { type NodeBoard, openNodeBoard } from './signal/node-board.ts'
import { PresenceBoard, presenceTopic } from './signal/presence-board.ts'
import { openTypingBoard, type TypingBoard } from './signal/typing-board.ts'
import { Visits } from './signal/visits.ts'
import { migrate } from './store/migrate.ts'
import { openStore, type Store } from './store/store.ts'
import { createTokens, type Tokens } from './tokens.ts'

/** One open node, without its door to the network. */
export type App = {
  readonly config: Config
  readonly log: Log
  readonly tokens: Tokens
  readonly store: Store
  readonly bus: Bus
  readonly journal: Journal
  readonly typing: TypingBoard
  readonly nodes: NodeBoard
  readonly visits: Visits
  readonly presence: PresenceBoard
  close(): Promise<void>
}

/**
 * Opens a node on a database, bringing its schema up to date. `tokenSecret` is the same on all nodes of an installation.
 * @throws StartError with a sentence for the person who starts it.
 */
export async function openApp(config: Config, databaseUrl: string, tokenSecret: string, log: Log): Promise<App> {
  await migrate(databaseUrl, log)
  const closers: (() => Promise<void>)[] = []
  const close = async () => {
    for (const closeNext of closers.splice(0).reverse()) await closeNext()
  }
  try {
    const store = openStore(databaseUrl, config.journal.appendLanes, log)
    closers.push(() => store.close())
    const bus = config.redisUrl === null ? openMemoryBus(log) : openRedisBus(config.redisUrl, log)
    closers.push(() => bus.close())
    const journal = await openJournal(store, bus, config.journal, log)
    closers.push(() => journal.close())
    const typing = openTypingBoard(bus, journal)
    closers.push(() => typing.close())
    const nodes = openNodeBoard(bus, journal)
    closers.push(() => nodes.close())
    const prefix = () => journal.topic('presence')
    const leases =
      config.redisUrl === null
        ? openMemoryLeases(bus, (userId) => journal.topic(presenceTopic(userId)))
        : openRedisLeases(config.redisUrl, prefix, log)
    closers.push(() => leases.close())
    const presence = new PresenceBoard(leases, bus, journal, store.reader, log)
    closers.push(() => presence.close())
    const visits = new Visits(leases, config.presence.ttlMs, journal, store, log)
    closers.push(() => visits.close())
    const tokens = createTokens(tokenSecret, config.tokens.accessTtlS, config.identityProvider)
    return { config, log, tokens, store, bus, journal, typing, nodes, visits, presence, close }
  } catch (error) {
    await close()
    throw error
  }
}
