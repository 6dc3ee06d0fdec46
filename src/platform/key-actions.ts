// Making and revoking server keys: by the command line, or by a key that has the scope KEYS.

import { notFound, ParleyError } from '../errors.ts'
import { type ServerKeyId, serverKeyIdOf } from '../id.ts'
import type { App } from '../parts.ts'
import type { ServerKey } from '../viewer.ts'
import { serverKeyRevoked } from './events.ts'
import { hashOf, keysMax, newToken } from './server-keys.ts'

/** A new key, with the token that is shown only once. */
export type NewServerKey = { readonly id: ServerKeyId; readonly token: string }

/** A key to make. */
export type ServerKeyForm = Omit<ServerKey, 'id'>

/**
 * Makes a key.
 * @param by the key that makes it, which can give only scopes that it has, and only its own tenant; null for the operator
 * @throws ParleyError FORBIDDEN, LIMIT_EXCEEDED
 */
export async function createServerKey(
  by: ServerKey | null,
  { name, scopes, tenant }: ServerKeyForm,
  { store }: Pick<App, 'store'>,
): Promise<NewServerKey> {
  if (by) requireTenant(by, tenant, 'input.tenant')
  const missing = by && scopes.find((scope) => !by.scopes.includes(scope))
  if (missing) {
    throw new ParleyError('FORBIDDEN', `A server key can give only scopes that it has: not ${missing}.`, {
      argument: 'input.scopes',
    })
  }
  if ((await store.prisma.serverKey.count({ where: { revokedAt: null } })) >= keysMax) {
    throw new ParleyError('LIMIT_EXCEEDED', `An installation can have at most ${keysMax} server keys. Revoke one.`)
  }
  const token = newToken()
  const data = { name, tenant, tokenHash: hashOf(token), scopes: [...new Set(scopes)], creatorKeyId: by?.id ?? null }
  const { id } = await store.prisma.serverKey.create({ data })
  return { id: serverKeyIdOf(id), token }
}

/**
 * Revokes a key: every node refuses it within a second. Does nothing if it is revoked.
 * @param by the key that revokes it, for itself or others of its tenant; null for the operator
 * @throws ParleyError NOT_FOUND
 */
export async function revokeServerKey(
  by: ServerKey | null,
  id: ServerKeyId,
  { clock, journal }: Pick<App, 'clock' | 'journal'>,
): Promise<void> {
  await journal.writing(async (tx) => {
    const known = await tx.serverKey.count({ where: { id, ...(by?.tenant == null ? {} : { tenant: by.tenant }) } })
    if (known === 0) throw notFound('ServerKey')
    const { count } = await tx.serverKey.updateMany({
      where: { id, revokedAt: null },
      data: { revokedAt: new Date(clock.now()) },
    })
    return { result: undefined, facts: count === 0 ? [] : [serverKeyRevoked(id)] }
  })
}

/** @throws ParleyError FORBIDDEN if a key is for another tenant alone */
export function requireTenant(key: ServerKey, tenant: string | null, argument: string): void {
  if (key.tenant === null || key.tenant === tenant) return
  throw new ParleyError('FORBIDDEN', `The server key is for the tenant ${key.tenant} alone.`, { argument })
}
