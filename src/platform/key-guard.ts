// The guard of server keys: turns a key, and the user on whose behalf it acts, into a caller. What it has checked it remembers, and
// it learns from facts which keys were revoked and which users nobody may act for any more. Opened once for each node.

import { LRUCache } from 'lru-cache'
import { accountKinds } from '../account/events.ts'
import { findNamed } from '../account/external-id.ts'
import { requireNotSuspended } from '../account/suspension.ts'
import { entriesMax } from '../bounded.ts'
import { ParleyError } from '../errors.ts'
import { type ServerKeyId, serverKeyIdOf, type UserId, userIdOf } from '../id.ts'
import type { App } from '../parts.ts'
import { reportFailure } from '../store/postgres.ts'
import { statement } from '../store/reader.ts'
import type { ServerKey, Viewer } from '../viewer.ts'
import { platformKinds } from './events.ts'
import { findKeyByToken, isFor, keyPrefix } from './server-keys.ts'

/** A key that works, and the user on whose behalf it acts; null if it acts for itself. */
export type KeyAdmission = { readonly key: ServerKey; readonly viewer: Viewer | null }

/** The guard of server keys of a node. */
export type KeyGuard = {
  /** Whether a token is a server key by its form. */
  isKey(token: string): boolean
  /**
   * Finds the caller of a key.
   * @param actAs the user on whose behalf it acts; null for the key itself
   * @throws ParleyError UNAUTHENTICATED, FORBIDDEN without the scope ACT or READ, BAD_INPUT, NOT_FOUND, ACCOUNT_SUSPENDED
   */
  admit(token: string, actAs: string | null): Promise<KeyAdmission>
  /** Whether a key was revoked, as far as this node knows. */
  hasEnded(id: ServerKeyId): boolean
  /** Calls `listener` for each key that is revoked, on any node. */
  onRevoked(listener: (id: ServerKeyId) => void): void
  /** Calls `listener` for each user that is suspended or deleted, on any node. */
  onBarred(listener: (userId: UserId) => void): void
  /** Calls `listener` when this node may have missed that keys were revoked or users barred. */
  onRestart(listener: () => void): void
  close(): Promise<void>
}

const remembered = { keys: 1_000, users: 20_000, ms: 60_000 } as const
const useEveryMs = 60_000

/** A user that a key may act for. */
type Actor = { readonly tenant: string | null }

const present = statement<Actor>('acting_for', 'select tenant from "user" where id = $1 and deleted_at is null')
const noteUse = statement('server_key_used', 'update server_key set last_used_at = now() where id = $1')

const actAsName = 'parley-act-as'

const unknownKey = () => new ParleyError('UNAUTHENTICATED', 'The server key is unknown, or was revoked.')

/** Opens the guard. */
export function openKeyGuard(app: App): KeyGuard {
  const { clock, journal, store } = app
  const perf = { now: clock.monotonicMs }
  const keys = new LRUCache<string, ServerKey>({ ...entriesMax(remembered.keys), ttl: remembered.ms, perf })
  const actors = openActors(app)
  const uses = openUses(app)
  const revoked = new Set<ServerKeyId>()
  const revocations: ((id: ServerKeyId) => void)[] = []
  const barListeners: ((userId: UserId) => void)[] = []
  const restarts: (() => void)[] = []

  journal.onFact(({ kind, subjectId }) => {
    if (subjectId === null) return
    if (kind === platformKinds.ServerKeyRevoked.number) {
      const id = serverKeyIdOf(subjectId)
      revoked.add(id)
      for (const listener of revocations) listener(id)
    } else if (kind === accountKinds.AccountBarred.number) {
      const userId = userIdOf(subjectId)
      actors.forget(userId)
      for (const listener of barListeners) listener(userId)
    }
  })
  journal.onRestart(() => {
    keys.clear()
    actors.forget(null)
    for (const listener of restarts) listener()
  })

  async function findKey(token: string): Promise<ServerKey> {
    const known = keys.get(token)
    if (known && !revoked.has(known.id)) return known
    const row = await findKeyByToken(store.reader, token)
    if (!row || row.revokedAt || revoked.has(row.id)) {
      throw unknownKey()
    }
    const { id, name, scopes, tenant } = row
    const key = { id, name, scopes, tenant }
    keys.set(token, key)
    return key
  }
  return {
    isKey: (token) => token.startsWith(keyPrefix),
    async admit(token, actAs) {
      const key = await findKey(token)
      uses.note(key)
      if (actAs === null) return { key, viewer: null }
      if (!key.scopes.includes('ACT') && !key.scopes.includes('READ')) {
        throw new ParleyError('FORBIDDEN', 'The server key has neither the scope ACT nor READ.')
      }
      const userId = await actors.require(key, actAs)
      // It may have been revoked while the user was read.
      if (revoked.has(key.id)) throw unknownKey()
      return { key, viewer: { userId, sessionId: null } }
    },
    hasEnded: (id) => revoked.has(id),
    onRevoked: (listener) => revocations.push(listener),
    onBarred: (listener) => barListeners.push(listener),
    onRestart: (listener) => restarts.push(listener),
    close: uses.close,
  }
}

/** The users on whose behalf keys act, and whether they may. */
function openActors({ clock, config, store }: App) {
  const perf = { now: clock.monotonicMs }
  const users = new LRUCache<UserId, Actor>({ ...entriesMax(remembered.users), ttl: remembered.ms, perf })
  /** Counts what may have made the users in `users` wrong. */
  let bars = 0
  const unknown = () => new ParleyError('NOT_FOUND', 'User not found.', { argument: actAsName })
  return {
    /** Forgets a user, or all of them. */
    forget(userId: UserId | null): void {
      bars += 1
      if (userId === null) users.clear()
      else users.delete(userId)
    },
    /** The user that a key names. @throws ParleyError BAD_INPUT, NOT_FOUND, ACCOUNT_SUSPENDED */
    async require(key: ServerKey, actAs: string): Promise<UserId> {
      const userId = await findNamed(store.reader, config, actAs, actAsName)
      if (userId === null) throw unknown()
      let user = users.get(userId)
      while (!user) {
        const before = bars
        const [found] = await store.reader.rows(present, [userId])
        if (!found || !isFor(key, found)) throw unknown()
        await requireNotSuspended(store.prisma, userId)
        // The user may have been suspended since it was read.
        if (bars === before) {
          user = found
          users.set(userId, found)
        }
      }
      if (!isFor(key, user)) throw unknown()
      return userId
    },
  }
}

/** Notes in Postgres when keys were last used, each at most once a minute. */
function openUses({ clock, store, log }: App) {
  const perf = { now: clock.monotonicMs }
  const used = new LRUCache<ServerKeyId, true>({ ...entriesMax(remembered.keys), ttl: useEveryMs, perf })
  const noting = new Set<Promise<void>>()
  return {
    note({ id }: ServerKey): void {
      if (used.has(id)) return
      used.set(id, true)
      const written: Promise<void> = store.reader
        .rows(noteUse, [id])
        .then(() => undefined)
        .catch((error: unknown) => reportFailure(log, error, 'the last use of a server key could not be noted'))
        .finally(() => noting.delete(written))
      noting.add(written)
    },
    async close(): Promise<void> {
      await Promise.all(noting)
    },
  }
}
