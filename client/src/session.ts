// The session of a client: provides valid access tokens, and refreshes them. A refresh token that is used twice ends the
// session, so one refresh runs at a time, for all callers in this process and for all tabs of an origin.

import { withLock } from './browser.ts'
import { failureOf, fromApp, ParleyFailure, signedOut } from './failure.ts'
import type { Credentials, CredentialsStore } from './storage.ts'

/**
 * Provides access tokens of an identity provider. `refused` is a token that the server rejected as expired, or null: return
 * another one then.
 */
export type AccessTokens = (refused: string | null) => string | Promise<string>

/** A token is refreshed this long before it expires, or when a third of its life is left if that is shorter. */
const marginMs = 60_000
const lockMs = 30_000
const lockName = 'parley-session'

/** The session of a client, which gives it access tokens. */
export class Session {
  readonly #source: CredentialsStore | AccessTokens | null
  readonly #refresh: (refreshToken: string) => Promise<Credentials>
  readonly #onEnded: (code: string) => void
  #current: Credentials | null = null
  /** A used refresh token that the store still has, because saving its successor failed. */
  #usedUp: string | null = null
  /** When to get another token, by the clock of this device. */
  #staleAt = 0
  #loading: Promise<void> | null = null
  #refreshing: Promise<void> | null = null
  #endedWith: string | null = null

  /** @param onEnded called once, with the code, when only a new login helps */
  constructor(
    source: CredentialsStore | AccessTokens | null,
    refresh: (refreshToken: string) => Promise<Credentials>,
    onEnded: (code: string) => void,
  ) {
    this.#source = source
    this.#refresh = refresh
    this.#onEnded = onEnded
  }

  /** Whether the session is over. */
  get isOver(): boolean {
    return this.#endedWith !== null
  }

  /** How long the token needs no refresh, in milliseconds; null if unknown. */
  get goodForMs(): number | null {
    return this.#current && Number.isFinite(this.#staleAt) ? Math.max(0, this.#staleAt - Date.now()) : null
  }

  /**
   * An access token that is valid for a while; null for a client without a session.
   * @param refused a token that the server rejected as expired: it is not returned again
   * @throws ParleyFailure if there is none: retryable, or the session is over
   */
  async token(refused: string | null = null): Promise<string | null> {
    const source = this.#source
    if (source === null) return null
    if (this.#endedWith !== null) throw signedOut(this.#endedWith)
    if (typeof source === 'function') return fromApp(() => source(refused))
    if (!this.#current) await this.#load(source)
    if (!this.#current || this.#isStale(refused) || this.#usedUp !== null) {
      this.#refreshing ??= this.#exchange(source, refused).finally(() => {
        this.#refreshing = null
      })
      await this.#refreshing.catch((error) => this.#fail(error))
      if (this.#endedWith !== null) throw signedOut(this.#endedWith)
    }
    return this.#current?.accessToken ?? null
  }

  /**
   * Ends the session on this device: reports why, and removes the credentials from the store, unless the store has those of
   * another login.
   * @throws if the store throws or its lock is not free: then the store may still have the credentials
   */
  async end(code: string): Promise<void> {
    if (this.#endedWith !== null) return
    this.#endedWith = code
    this.#onEnded(code)
    const store = this.#source
    if (store === null || typeof store === 'function') return
    // A refresh under way belongs to the same session.
    await this.#refreshing?.catch(() => undefined)
    await withLock(lockName, lockMs, async () => {
      const kept = (await store.load())?.refreshToken
      // Also if the store is empty already: `save(null)` tells the app that the session is over.
      if (kept === undefined || kept === this.#current?.refreshToken || kept === this.#usedUp) await store.save(null)
      this.#current = null
    })
  }

  #isStale(refused: string | null): boolean {
    return this.#current?.accessToken === refused || Date.now() >= this.#staleAt
  }

  async #load(store: CredentialsStore): Promise<void> {
    this.#loading ??= fromApp(() => store.load())
      .then((credentials) => credentials && this.#take(credentials, false))
      .then(() => undefined)
      .finally(() => {
        this.#loading = null
      })
    await this.#loading
  }

  /** Gets other credentials: those that another tab got in the meantime, or fresh ones. */
  #exchange(store: CredentialsStore, refused: string | null): Promise<void> {
    return withLock(lockName, lockMs, async () => {
      const used = await this.#takeNewest(store)
      if (this.#isStale(refused)) {
        // Use the fresh credentials even if they cannot be saved: the old refresh token is useless now.
        this.#take(await this.#refresh(used), true)
        this.#usedUp ??= used
      }
      if (this.#usedUp !== null) await this.#keep(store)
    })
  }

  /** Takes the credentials of the store, unless ours are newer. @returns the refresh token that is valid now */
  async #takeNewest(store: CredentialsStore): Promise<string> {
    const ours = this.#usedUp === null ? null : this.#current
    const kept = await fromApp(() => store.load()).catch((error: unknown) => {
      if (ours) return ours
      throw error
    })
    if (ours && (kept === ours || kept?.refreshToken === this.#usedUp)) return ours.refreshToken
    this.#usedUp = null
    if (!kept) throw new ParleyFailure('UNAUTHENTICATED', 'You are not logged in.', false)
    if (kept.accessToken !== this.#current?.accessToken) this.#take(kept, false)
    return kept.refreshToken
  }

  async #keep(store: CredentialsStore): Promise<void> {
    try {
      await store.save(this.#current)
      this.#usedUp = null
    } catch {
      // The next call of `token` tries again.
    }
  }

  /** Throws why there is no token, after ending the session if that is final. */
  async #fail(error: unknown): Promise<never> {
    const failure = failureOf(error)
    const code = failure.code === 'TOKEN_EXPIRED' ? 'SESSION_REVOKED' : failure.code
    if (!failure.isRetryable) await this.end(code).catch(() => undefined)
    throw failure
  }

  /** A fresh token is valid, even if it has expired by the clock of this device: the server decides. */
  #take(credentials: Credentials, isNew: boolean): void {
    const leftMs = Date.parse(credentials.expiresAt) - Date.now()
    this.#current = credentials
    this.#staleAt =
      isNew && leftMs <= 0 ? Number.POSITIVE_INFINITY : Date.now() + leftMs - Math.min(marginMs, Math.max(0, leftMs / 3))
  }
}
