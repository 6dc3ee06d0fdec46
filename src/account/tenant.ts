// Tenants: people of different tenants neither find, see nor reach each other. A user is in one from the beginning and for ever, or
// in none; those in none are among themselves, too.

import { z } from 'zod'
import type { UserId } from '../id.ts'
import type { Transaction } from '../store/store.ts'

/** The name of a tenant: 1 to 100 characters that are neither white space nor control characters. */
export const tenantForm = z.string().regex(/^[^\s\p{C}]{1,100}$/u, 'must have 1 to 100 characters, without white space')

/** What descriptions say about names of tenants. */
export const tenantRule = '1 to 100 characters, without white space'

/** SQL: whether a tenant is that of a user. Both are expressions. */
export const isTenantOf = (tenant: string, userId: string) =>
  `${tenant} is not distinct from (select of_user.tenant from "user" of_user where of_user.id = ${userId})`

/** The tenant of a user; null for none. */
export async function tenantOf(tx: Transaction, userId: UserId): Promise<string | null> {
  const user = await tx.user.findUnique({ where: { id: userId }, select: { tenant: true } })
  return user?.tenant ?? null
}
