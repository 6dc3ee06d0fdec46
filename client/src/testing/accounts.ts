// Accounts and sessions: sign-up, log-in, tokens.

import { badInput, refuse } from './refusal.ts'
import { type TestSession, type TestUser, type TestWorld, testId } from './world.ts'

/** How long an access token is valid, a used refresh token returns the same successor, and an unused one works, in milliseconds. */
const [accessMs, graceMs, refreshMs] = [15 * 60_000, 30_000, 30 * 86_400_000]
const usernameForm = /^[a-z0-9](?:[a-z0-9._-]{1,30})[a-z0-9]$/

/** Credentials, as `logIn` answers them. */
export type TestCredentials = { readonly accessToken: string; readonly refreshToken: string; readonly expiresAt: Date }

type AccessToken = { readonly session: TestSession; expiresAtMs: number }
type RefreshToken = {
  readonly session: TestSession
  used: { readonly atMs: number; readonly successor: TestCredentials } | null
}

/** The tokens of all sessions. */
export class TestTokens {
  readonly #world: TestWorld
  readonly #access = new Map<string, AccessToken>()
  readonly #refresh = new Map<string, RefreshToken>()

  constructor(world: TestWorld) {
    this.#world = world
  }

  /** Opens a session of a user. */
  open(user: TestUser, deviceName: string, deviceKind = 'OTHER'): { session: TestSession; credentials: TestCredentials } {
    const number = this.#world.number('ses')
    const now = new Date()
    const session: TestSession = {
      id: testId('ses', number),
      number,
      userId: user.id,
      deviceName,
      deviceKind,
      createdAt: now,
      lastUsedAt: now,
      expiresAt: now,
      revokedAt: null,
      acknowledged: null,
    }
    this.#world.sessions.set(session.id, session)
    return { session, credentials: this.issue(session) }
  }

  /** Makes new tokens of a session. */
  issue(session: TestSession): TestCredentials {
    const expiresAtMs = Date.now() + accessMs
    session.expiresAt = new Date(Date.now() + refreshMs)
    const [accessToken, refreshToken] = [`access-${this.#world.random.text(24)}`, `refresh-${this.#world.random.text(24)}`]
    this.#access.set(accessToken, { session, expiresAtMs })
    this.#refresh.set(refreshToken, { session, used: null })
    return { accessToken, refreshToken, expiresAt: new Date(expiresAtMs) }
  }

  /** The session of an access token. @throws GraphQLError UNAUTHENTICATED, SESSION_REVOKED, TOKEN_EXPIRED */
  sessionOf(accessToken: string): TestSession {
    const known = this.#access.get(accessToken)
    if (!known) throw refuse('UNAUTHENTICATED', 'The access token is not valid.')
    if (known.session.revokedAt) throw refuse('SESSION_REVOKED', 'This session was ended.')
    if (known.expiresAtMs <= Date.now()) throw refuse('TOKEN_EXPIRED', 'The access token has expired.')
    known.session.lastUsedAt = new Date()
    return known.session
  }

  expiresAt(accessToken: string): Date {
    return new Date(this.#access.get(accessToken)?.expiresAtMs ?? 0)
  }

  /** Expires all access tokens. */
  expireAll(): void {
    for (const token of this.#access.values()) token.expiresAtMs = 0
  }

  /**
   * Exchanges a refresh token. It works once; for 30 s, while its successor is unused, it returns the same successor.
   * @throws GraphQLError UNAUTHENTICATED, SESSION_REVOKED
   */
  refresh(refreshToken: string): { session: TestSession; credentials: TestCredentials } {
    const known = this.#refresh.get(refreshToken)
    if (!known) throw refuse('UNAUTHENTICATED', 'The refresh token is not valid.')
    const { session, used } = known
    const isOver = used && (Date.now() - used.atMs > graceMs || this.#refresh.get(used.successor.refreshToken)?.used)
    if (isOver && !session.revokedAt) endSession(this.#world, session)
    if (session.revokedAt)
      throw refuse('SESSION_REVOKED', 'The refresh token was already used, or its session has ended. Log in again.')
    const credentials = used?.successor ?? this.issue(session)
    known.used ??= { atMs: Date.now(), successor: credentials }
    return { session, credentials }
  }
}

/** The close code of a socket whose session was ended. */
const revokedCode = 4603

/** Ends a session, and closes its sockets. */
export function endSession(world: TestWorld, session: TestSession): void {
  if (session.revokedAt) return
  session.revokedAt = new Date()
  world.journal.append('SessionRevoked', [session.userId], { sessionId: session.id })
  const own = [...world.connections].filter((connection) => connection.session === session)
  // After the answer that is being made.
  queueMicrotask(() => {
    for (const connection of own) connection.close(revokedCode, 'The session was ended')
  })
}

/** An account to make. */
export type NewTestUser = { readonly username: string; readonly displayName: string; readonly password: string }

/** Makes an account. @throws GraphQLError BAD_INPUT, USERNAME_TAKEN */
export function makeUser(world: TestWorld, given: NewTestUser): TestUser {
  const username = given.username.normalize('NFKC').trim().toLowerCase()
  const displayName = checkLine(given.displayName, 80, 'input.displayName')
  if (!usernameForm.test(username))
    throw badInput(
      'input.username',
      'must have 3 to 32 characters: a to z, 0 to 9, and . _ - except at the beginning and the end',
    )
  if ([...given.password].length < 8) throw badInput('input.password', 'must have at least 8 characters')
  if (findByName(world, username)) throw refuse('USERNAME_TAKEN', `The username ${username} is taken.`, 'input.username')
  const number = world.number('usr')
  const user: TestUser = {
    id: testId('usr', number),
    number,
    username,
    displayName,
    bio: '',
    password: given.password,
    createdAt: new Date(),
    lastActiveAt: null,
    acknowledged: 0,
  }
  world.users.set(user.id, user)
  return user
}

export function findByName({ users }: TestWorld, username: string): TestUser | null {
  const name = username.trim().toLowerCase()
  return [...users.values()].find((user) => user.username === name) ?? null
}

/** A line of text that people see. @throws GraphQLError BAD_INPUT */
export function checkLine(given: string, max: number, argument: string): string {
  const text = given.trim()
  if (text === '') throw badInput(argument, 'must not be empty')
  if ([...text].length > max) throw badInput(argument, `must have at most ${max} characters`)
  return text
}
