// Passwords: argon2id with the parameters of OWASP's Password Storage Cheat Sheet. A hash costs some 10 ms of CPU and
// 19 MiB, so only a few run at once and only a short queue waits.

import { hash, verify } from '@node-rs/argon2'
import pLimit from 'p-limit'
import { ParleyError } from '../errors.ts'

const parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const
const atOnce = 2
const queueMax = 100

const turn = pLimit(atOnce)

function queued<T>(work: () => Promise<T>): Promise<T> {
  if (turn.pendingCount >= queueMax) {
    throw new ParleyError('RATE_LIMITED', 'Too many people log in at the moment', { retryAfterMs: 1_000 })
  }
  return turn(work)
}

/** Hashes a password. @throws ParleyError RATE_LIMITED when too many wait. */
export async function hashPassword(password: string): Promise<string> {
  return queued(() => hash(password, parameters))
}

let standIn: Promise<string> | undefined

/**
 * Whether the password belongs to the hash. Without a hash (no such account, or one without a password) it takes as long
 * and answers no. @throws ParleyError RATE_LIMITED when too many wait.
 */
export async function verifyPassword(passwordHash: string | null, password: string): Promise<boolean> {
  standIn ??= hash('nobody has this password', parameters)
  const against = passwordHash ?? (await standIn)
  const isRight = await queued(() => verify(against, password))
  return isRight && passwordHash !== null
}
