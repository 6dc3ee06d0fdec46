// The guard: turns tokens into viewers and knows which sessions have ended. It checks a token only once and learns of ended
// sessions from facts, so it needs no query per request. Opened once for each node.

import { LRUCache } from 'lru-cache'
import { entriesMax } from '../bounded.ts'
import { accessTtlMaxS } from '../config/variables.ts'
import { ParleyError } from '../errors.ts'
import { type SessionId, sessionIdOf } from '../id.ts'
import type { App } from '../parts.ts'
import { reportFailure } from '../store/postgres.ts'
import { statement } from '../store/reader.ts'
import type { SessionViewer } from '../viewer.ts'
import { accountKinds } from './events.ts'
import { admit } from './provider.ts'

/** A viewer whose token is valid. `expiresAt` is when the token expires, in milliseconds since 1970. */
export type Admission = { readonly viewer: SessionViewer; readonly expiresAt: number }

/** The guard of a node. */
export type Guard = {
  /**
   * Finds the viewer of an access token.
   * @throws ParleyError UNAUTHENTICATED, TOKEN_EXPIRED, SESSION_REVOKED, or UNAVAILABLE if the token can't be checked now
   */
  admit(token: string): Promise<Admission>
  /**
   * Records that a session is in use; `isAct` says whether its user did something. Each of the two is written to Postgres at
   * most once a minute for each session.
   */
  noteUse(sessionId: SessionId, isAct: boolean): void
  /** Whether a session has ended, as far as this node knows. */
  hasEnded(sessionId: SessionId): boolean
  /** Calls `listener` for each session that ends, on any node. */
  onRevoked(listener: (sessionId: SessionId) => void): void
  close(): Promise<void>
}

const useEveryMs = 60_000
const flushMs = 2_000
/** A cached admission expires long before the guard forgets that its session has ended. */
const remembered = { tokens: 20_000, tokensMs: 600_000, uses: 100_000 } as const
const rereadMs = 1_000

const revokedLately = statement<{ id: SessionId }>('sessions_revoked_lately', 'select id from session where revoked_at > $1')

/** Opens the guard: reads the ended sessions whose access tokens may not have expired yet. */
export async function openGuard(app: App): Promise<Guard> {
  const { clock } = app
  const tokenLifeMs = accessTtlMaxS * 1000
  const perf = { now: clock.monotonicMs }
  const revoked = new LRUCache<SessionId, true>({ ...entriesMax(1_000_000), ttl: tokenLifeMs, perf })
  const admitted = new LRUCache<string, Admission>({ ...entriesMax(remembered.tokens), ttl: remembered.tokensMs, perf })
  const used = new LRUCache<number, true>({ ...entriesMax(remembered.uses), ttl: useEveryMs, perf })
  const listeners: ((sessionId: SessionId) => void)[] = []
  /** Sessions in use that are not yet written, and whether their user did something. */
  let unwritten = new Map<SessionId, boolean>()
  let isClosed = false

  function revoke(sessionId: SessionId): void {
    revoked.set(sessionId, true)
    for (const listener of listeners) listener(sessionId)
  }
  async function readRevoked(): Promise<void> {
    const rows = await app.store.reader.rows(revokedLately, [new Date(clock.now() - tokenLifeMs)])
    for (const { id } of rows) if (!revoked.has(id)) revoke(id)
  }
  app.journal.onFact((fact) => {
    if (fact.kind === accountKinds.SessionRevoked.number && fact.subjectId !== null) revoke(sessionIdOf(fact.subjectId))
  })
  async function readRevokedAgain(): Promise<void> {
    while (!isClosed) {
      try {
        return await readRevoked()
      } catch (error) {
        reportFailure(app.log, error, 'the sessions that were ended could not be read: trying again')
        await new Promise((resolve) => setTimeout(resolve, rereadMs))
      }
    }
  }
  app.journal.onRestart(() => void readRevokedAgain())
  await readRevoked()

  async function flush(): Promise<void> {
    if (unwritten.size === 0) return
    const [ids, acts, now] = [[...unwritten.keys()], [...unwritten.values()], new Date(clock.now())]
    unwritten = new Map()
    await app.store.prisma.$executeRaw`
      update session s set last_used_at = ${now}, last_active_at = case when u.is_act then ${now} else s.last_active_at end
        from unnest(${ids}::bigint[], ${acts}::boolean[]) as u(id, is_act) where s.id = u.id`.catch((error: unknown) =>
      reportFailure(app.log, error, 'the last use of sessions could not be noted'),
    )
  }
  const endFlushing = clock.every(flushMs, () => void flush())

  async function check(token: string): Promise<Admission> {
    const claims = await app.tokens.verifyAccess(token)
    if ('own' in claims) {
      const { sub: userId, sid: sessionId, exp } = claims.own
      return { viewer: { userId, sessionId }, expiresAt: exp * 1000 }
    }
    return { viewer: await admit(claims.provider, app), expiresAt: claims.provider.exp * 1000 }
  }

  return {
    async admit(token) {
      const admission = admitted.get(token) ?? (await check(token))
      if (admission.expiresAt <= clock.now()) {
        admitted.delete(token)
        throw new ParleyError('TOKEN_EXPIRED', 'The access token has expired.')
      }
      if (revoked.has(admission.viewer.sessionId)) {
        admitted.delete(token)
        throw new ParleyError('SESSION_REVOKED', 'The session has ended. Log in again.')
      }
      admitted.set(token, admission)
      return admission
    },
    noteUse(sessionId, isAct) {
      const key = isAct ? -sessionId : sessionId
      if (used.has(key)) return
      used.set(key, true)
      unwritten.set(sessionId, isAct || unwritten.get(sessionId) === true)
    },
    hasEnded: (sessionId) => revoked.has(sessionId),
    onRevoked: (listener) => listeners.push(listener),
    async close() {
      isClosed = true
      endFlushing()
      await flush()
    },
  }
}
