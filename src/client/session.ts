// The session of a client: gives access tokens that are good, and refreshes them. A refresh token is good once and used twice
// it ends the session, so there is one refresh at a time: for all who ask in this process, and for all tabs of an origin.

import { withLock } from './browser.ts'
import { failureOf, ParleyFailure } from './failure.ts'

/** What `logIn`, `signUp` and `refreshSession` answer. `expiresAt` is that of the access token, as the server writes it. */
export type Credentials = { readonly accessToken: string; readonly refreshToken: string; readonly expiresAt: string }

/** Where an app keeps its credentials. All tabs of an origin have to share one. */
export type CredentialsStore = {
  /** What was saved last; null before anybody has logged in. */
  load(): Credentials | null | Promise<Credentials | null>
  /** Keeps them; null when the session is over. The access token is not used before this is done. */
  save(credentials: Credentials | null): void | Promise<void>
}

/**
 * Where access tokens come from that are not Parley's own (an identity provider's). `refused` is the token that the server took
 * for expired: give another one then.
 */
export type AccessTokens = (refused: string | null) => string | Promise<string>

/** A token is renewed so long before its end, or when a third of its life is left, if that is less. */
const marginMs = 60_000
const lockMs = 30_000
const lockName = 'parley-session'

/** The session. */
export class Session {
  readonly #source: CredentialsStore | AccessTokens | null
  readonly #refresh: (refreshToken: string) => Promise<Credentials>
  readonly #onEnded: (code: string) => void
  #current: Credentials | null = null
  /** When to get another token, by our clock. */
  #staleAt = 0
  #loading: Promise<void> | null = null
  #refreshing: Promise<void> | null = null
  #endedWith: string | null = null

  /** @param onEnded told once, with the code, when nothing but a new login helps */
  constructor(
    source: CredentialsStore | AccessTokens | null,
    refresh: (refreshToken: string) => Promise<Credentials>,
    onEnded: (code: string) => void,
  ) {
    this.#source = source
    this.#refresh = refresh
    this.#onEnded = onEnded
  }

  /** Whether it is over. */
  get isOver(): boolean {
    return this.#endedWith !== null
  }

  /** How long the token is good without a refresh, in milliseconds; null where that is not known. */
  get goodForMs(): number | null {
    return this.#current && Number.isFinite(this.#staleAt) ? Math.max(0, this.#staleAt - Date.now()) : null
  }

  /**
   * An access token that is good for a while; null for a client without a session.
   * @param refused a token that the server said has expired: it is not given again
   * @throws ParleyFailure where it could not be had: retryable, or the session is over
   */
  async token(refused: string | null = null): Promise<string | null> {
    if (this.#source === null) return null
    if (this.#endedWith !== null) throw new ParleyFailure(this.#endedWith, 'The session is over', false)
    if (typeof this.#source === 'function') return this.#source(refused)
    if (!this.#current) await this.#load(this.#source)
    if (!this.#current || this.#isStale(refused)) {
      this.#refreshing ??= this.#exchange(this.#source, refused).finally(() => {
        this.#refreshing = null
      })
      await this.#refreshing
    }
    return this.#current?.accessToken ?? null
  }

  /** Ends it here: forgets the credentials, and tells why. */
  async end(code: string): Promise<void> {
    if (this.#endedWith !== null) return
    this.#endedWith = code
    this.#current = null
    this.#onEnded(code)
    if (this.#source && typeof this.#source !== 'function') await this.#source.save(null)
  }

  #isStale(refused: string | null): boolean {
    return this.#current?.accessToken === refused || Date.now() >= this.#staleAt
  }

  async #load(store: CredentialsStore): Promise<void> {
    this.#loading ??= Promise.resolve(store.load())
      .then((credentials) => credentials && this.#take(credentials, false))
      .then(() => undefined)
      .finally(() => {
        this.#loading = null
      })
    await this.#loading
  }

  /** Gets other credentials: those that another tab got meanwhile, or fresh ones. */
  async #exchange(store: CredentialsStore, refused: string | null): Promise<void> {
    try {
      await withLock(lockName, lockMs, async () => {
        const kept = await store.load()
        if (!kept) throw new ParleyFailure('UNAUTHENTICATED', 'Nobody is logged in', false)
        if (kept.accessToken !== this.#current?.accessToken) this.#take(kept, false)
        if (!this.#isStale(refused)) return
        const fresh = await this.#refresh(kept.refreshToken)
        // What was refreshed is used even where it could not be kept: the former refresh token is good for nothing any more.
        await Promise.resolve(store.save(fresh)).finally(() => this.#take(fresh, true))
      })
    } catch (error) {
      const failure = failureOf(error)
      if (!failure.isRetryable) await this.end(failure.code === 'TOKEN_EXPIRED' ? 'SESSION_REVOKED' : failure.code)
      throw failure
    }
  }

  /** A token that has just come is good, whatever our clock says: where the two disagree, the server's word decides. */
  #take(credentials: Credentials, isNew: boolean): void {
    const leftMs = Date.parse(credentials.expiresAt) - Date.now()
    this.#current = credentials
    this.#staleAt =
      isNew && leftMs <= 0 ? Number.POSITIVE_INFINITY : Date.now() + leftMs - Math.min(marginMs, Math.max(0, leftMs / 3))
  }
}
