// The guard: turns tokens into viewers, without a question to Postgres for a token it has seen, and knows within the time
// of a fact which sessions were ended. Opened once for each node.

import { LRUCache } from 'lru-cache'
import type { App } from '../app.ts'
import { ParleyError } from '../errors.ts'
import { factKinds } from '../journal/fact.ts'
import { statement } from '../store/reader.ts'
import type { Viewer } from '../viewer.ts'
import { admit } from './provider.ts'

/** A viewer whose token was checked. `expiresAt` is the token's end, in milliseconds since 1970. */
export type Admission = { readonly viewer: Viewer; readonly expiresAt: number }

/** The guard of a node. */
export type Guard = {
  /**
   * The viewer of an access token.
   * @throws ParleyError UNAUTHENTICATED, TOKEN_EXPIRED, SESSION_REVOKED, or UNAVAILABLE where the token can't be checked now
   */
  admit(token: string): Promise<Admission>
  /**
   * Notes that a session is in use, and whether by an act of its person: each is written to Postgres at most once a minute for
   * each session.
   */
  noteUse(sessionId: number, isAct: boolean): void
  /** Calls `listener` for each session that is ended, on whichever node. */
  onRevoked(listener: (sessionId: number) => void): void
  close(): Promise<void>
}

const useEveryMs = 60_000
const flushMs = 2_000
/** An admission is checked anew long before the ending of its session is forgotten. */
const remembered = { tokens: 20_000, tokensMs: 600_000, uses: 100_000 } as const
const rereadMs = 1_000

const revokedLately = statement<{ id: number }>('sessions_revoked_lately', 'select id from session where revoked_at > $1')

/** Opens the guard: reads which sessions were ended while an access token of theirs may still be alive. */
export async function openGuard(app: App): Promise<Guard> {
  const tokenLifeMs = Math.max(app.config.tokens.accessTtlS * 1000, 86_400_000)
  const revoked = new LRUCache<number, true>({ max: 1_000_000, ttl: tokenLifeMs })
  const admitted = new LRUCache<string, Admission>({ max: remembered.tokens, ttl: remembered.tokensMs })
  const used = new LRUCache<number, true>({ max: remembered.uses, ttl: useEveryMs })
  const listeners: ((sessionId: number) => void)[] = []
  /** Sessions that were used, and whether by an act. */
  let unwritten = new Map<number, boolean>()
  let isClosed = false

  function revoke(sessionId: number): void {
    revoked.set(sessionId, true)
    for (const listener of listeners) listener(sessionId)
  }
  async function readRevoked(): Promise<void> {
    const rows = await app.store.reader.rows(revokedLately, [new Date(Date.now() - tokenLifeMs)])
    for (const { id } of rows) if (!revoked.has(id)) revoke(id)
  }
  app.journal.onFact((fact) => {
    if (fact.kind === factKinds.SessionRevoked && fact.subjectId !== null) revoke(fact.subjectId)
  })
  async function readRevokedAgain(): Promise<void> {
    while (!isClosed) {
      try {
        return await readRevoked()
      } catch (error) {
        app.log.warn({ err: error }, 'the sessions that were ended could not be read: trying again')
        await new Promise((resolve) => setTimeout(resolve, rereadMs))
      }
    }
  }
  app.journal.onRestart(() => void readRevokedAgain())
  await readRevoked()

  async function flush(): Promise<void> {
    if (unwritten.size === 0) return
    const [ids, acts] = [[...unwritten.keys()], [...unwritten.values()]]
    unwritten = new Map()
    await app.store.prisma.$executeRaw`
      update session s set last_used_at = now(), last_active_at = case when u.is_act then now() else s.last_active_at end
        from unnest(${ids}::bigint[], ${acts}::boolean[]) as u(id, is_act) where s.id = u.id`.catch((error: unknown) =>
      app.log.warn({ err: error }, 'the last use of sessions could not be noted'),
    )
  }
  const flushing = setInterval(() => void flush(), flushMs)

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
      if (admission.expiresAt <= Date.now()) {
        admitted.delete(token)
        throw new ParleyError('TOKEN_EXPIRED', 'The token has expired')
      }
      if (revoked.has(admission.viewer.sessionId)) {
        admitted.delete(token)
        throw new ParleyError('SESSION_REVOKED', 'The session was ended: log in again')
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
    onRevoked: (listener) => listeners.push(listener),
    async close() {
      isClosed = true
      clearInterval(flushing)
      await flush()
    },
  }
}
