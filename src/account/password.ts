// Passwords: argon2id with the parameters of OWASP's Password Storage Cheat Sheet. A hash takes about 10 ms of CPU and 19 MiB,
// so only a few run at once. The queue takes turns between kinds of requests, then addresses, then accounts: a flood of logins
// or sign-ups from one address mostly delays itself.

import { hash, verify } from '@node-rs/argon2'
import { FairQueue } from '../graphql/fair-queue.ts'

const parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const

/** The complexity of an operation that hashes a password: no client needs many in one request. */
export const passwordCost = 30_000

/** The request that needs a hash: its kind, network address and account. */
export type Asker = {
  readonly kind: 'LOG_IN' | 'SIGN_UP' | 'SIGNED_IN'
  readonly address: string
  /** The username as typed, or the user's ID. */
  readonly account: string
}

/** All nodes of a process share its CPU, and so this queue. A thousand hashes take about 5 s. */
const queue = new FairQueue(
  { atOnce: 2, waitingMax: 1_000, waitingPerPathMax: 60, waitMs: 20_000 },
  'The server is checking too many passwords at the moment. Try again later.',
)

function queued<T>({ kind, address, account }: Asker, work: () => Promise<T>): Promise<T> {
  return queue.run([kind, address, account], work)
}

/**
 * The normal form of a password, by the profile OpaqueString of RFC 8265: each space is U+0020, and letters are composed (NFC).
 * The same password then matches on every keyboard.
 */
export function normalisePassword(password: string): string {
  return password.replaceAll(/\p{Zs}/gu, ' ').normalize('NFC')
}

/** Hashes a password in its normal form. @throws ParleyError RATE_LIMITED if too many requests wait. */
export async function hashPassword(password: string, asker: Asker): Promise<string> {
  return queued(asker, () => hash(normalisePassword(password), parameters))
}

let standIn: Promise<string> | undefined

/**
 * Finds the owner of a password. It calls `find` only when the request's turn comes, so that a flood does not fill the
 * database pool either. Null if there is no owner or the password is wrong, after the same time. Also compares the password as
 * typed, for hashes from before passwords had a normal form. @throws ParleyError RATE_LIMITED if too many requests wait.
 */
export async function findByPassword<Owner extends { readonly passwordHash: string | null }>(
  find: () => Promise<Owner | null>,
  password: string,
  asker: Asker,
): Promise<Owner | null> {
  standIn ??= hash('nobody has this password', parameters)
  const otherwise = await standIn
  const normal = normalisePassword(password)
  return queued(asker, async () => {
    const owner = await find()
    const against = owner?.passwordHash ?? otherwise
    const isRight = (await verify(against, normal)) || (normal !== password && (await verify(against, password)))
    return isRight && owner?.passwordHash ? owner : null
  })
}
