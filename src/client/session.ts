// The session of a client: gives access tokens that are good, and refreshes them. A refresh token is good once and used twice
// it ends the session, so there is one refresh at a time: for all who ask in this process, and for all tabs of an origin.

import { withLock } from './browser.ts'
import { failureOf, ParleyFailure, signedOut } from './failure.ts'

/** What `logIn`, `signUp` and `refreshSession` answer. `expiresAt` is that of the access token, as the server writes it. */
export type Credentials = { readonly accessToken: string; readonly refreshToken: string; readonly expiresAt: string }

/** Where an app keeps its credentials. All tabs of an origin have to share one. */
export type CredentialsStore = {
  /** What was saved last; null before anybody has logged in. */
  load(): Credentials | null | Promise<Credentials | null>
  /**
   * Keeps them; null when the session is over. The access token is not used before this is done. Where it fails, the client goes
   * on with what it has, and asks for it again whenever it needs a token.
   */
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
  /** What the store still holds, and is good for nothing any more: what came for it could not be kept. */
  #usedUp: string | null = null
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
    if (this.#endedWith !== null) throw signedOut(this.#endedWith)
    if (typeof this.#source === 'function') return this.#source(refused)
    if (!this.#current) await this.#load(this.#source)
    if (!this.#current || this.#isStale(refused) || this.#usedUp !== null) {
      this.#refreshing ??= this.#exchange(this.#source, refused).finally(() => {
        this.#refreshing = null
      })
      await this.#refreshing.catch((error) => this.#fail(error))
      if (this.#endedWith !== null) throw signedOut(this.#endedWith)
    }
    return this.#current?.accessToken ?? null
  }

  /**
   * Ends it here: tells why, and forgets the credentials, unless what is kept is another login's.
   * @throws what the store throws, and where it could not be had: then they are still kept
   */
  async end(code: string): Promise<void> {
    if (this.#endedWith !== null) return
    this.#endedWith = code
    this.#onEnded(code)
    const store = this.#source
    if (store === null || typeof store === 'function') return
    // What a refresh brings now is the same session's.
    await this.#refreshing?.catch(() => undefined)
    await withLock(lockName, lockMs, async () => {
      const kept = (await store.load())?.refreshToken
      // Where nothing is kept any more the store is told, too: an app may forget more by it.
      if (kept === undefined || kept === this.#current?.refreshToken || kept === this.#usedUp) await store.save(null)
      this.#current = null
    })
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
  #exchange(store: CredentialsStore, refused: string | null): Promise<void> {
    return withLock(lockName, lockMs, async () => {
      const used = await this.#meet(store)
      if (this.#isStale(refused)) {
        // What came is used even where it cannot be kept: the former refresh token is good for nothing any more.
        this.#take(await this.#refresh(used), true)
        this.#usedUp ??= used
      }
      if (this.#usedUp !== null) await this.#keep(store)
    })
  }

  /** Takes what the store holds, unless what we hold is newer. @returns the refresh token that is good now */
  async #meet(store: CredentialsStore): Promise<string> {
    const ours = this.#usedUp === null ? null : this.#current
    const kept = await Promise.resolve()
      .then(() => store.load())
      .catch((error: unknown) => {
        if (ours) return ours
        throw error
      })
    if (ours && (kept === ours || kept?.refreshToken === this.#usedUp)) return ours.refreshToken
    this.#usedUp = null
    if (!kept) throw new ParleyFailure('UNAUTHENTICATED', 'Nobody is logged in', false)
    if (kept.accessToken !== this.#current?.accessToken) this.#take(kept, false)
    return kept.refreshToken
  }

  async #keep(store: CredentialsStore): Promise<void> {
    try {
      await store.save(this.#current)
      this.#usedUp = null
    } catch {
      // It is asked again with the next token.
    }
  }

  /** Tells why there is no token, and ends the session where that is for good. */
  async #fail(error: unknown): Promise<never> {
    const failure = failureOf(error)
    const code = failure.code === 'TOKEN_EXPIRED' ? 'SESSION_REVOKED' : failure.code
    if (!failure.isRetryable) await this.end(code).catch(() => undefined)
    throw failure
  }

  /** A token that has just come is good, whatever our clock says: where the two disagree, the server's word decides. */
  #take(credentials: Credentials, isNew: boolean): void {
    const leftMs = Date.parse(credentials.expiresAt) - Date.now()
    this.#current = credentials
    this.#staleAt =
      isNew && leftMs <= 0 ? Number.POSITIVE_INFINITY : Date.now() + leftMs - Math.min(marginMs, Math.max(0, leftMs / 3))
  }
}
