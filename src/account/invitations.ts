// Invitations to sign up. An operator makes them for a server where not everybody may sign up. Only the hash of a token is
// stored.

import { createHash, randomBytes } from 'node:crypto'
import { ParleyError } from '../errors.ts'
import type { App } from '../parts.ts'
import type { Transaction } from '../store/store.ts'

/** An invitation as an operator sees it. Its token was shown when it was made, and is not stored. */
export type Invitation = {
  readonly id: number
  readonly uses: number
  readonly maxUses: number
  readonly expiresAt: Date
}

type OperatorStore = Pick<App, 'store'>

/** Makes an invitation. @returns its token */
export async function createInvitation(maxUses: number, expiresAt: Date, { store }: OperatorStore): Promise<string> {
  const token = randomBytes(24).toString('base64url') // 192 bits: nobody can guess one
  await store.prisma.invitation.create({ data: { tokenHash: hashOf(token), maxUses, expiresAt } })
  return token
}

/** The invitations that can still be used, the oldest first. */
export async function readInvitations({ store }: OperatorStore): Promise<Invitation[]> {
  return store.prisma.$queryRaw<Invitation[]>`
    select id::int, uses, max_uses as "maxUses", expires_at as "expiresAt" from invitation
     where revoked_at is null and expires_at > now() and uses < max_uses order by id limit 1000`
}

/** Revokes an invitation. @returns whether it could still be used */
export async function revokeInvitation(id: number, { store }: OperatorStore): Promise<boolean> {
  const where = { id, revokedAt: null, expiresAt: { gt: new Date() } }
  const { count } = await store.prisma.invitation.updateMany({ where, data: { revokedAt: new Date() } })
  return count > 0
}

/** Checks that an invitation can be used, without using it. @throws ParleyError FORBIDDEN */
export async function requireInvitation(tx: Transaction, token: string | null): Promise<void> {
  const rows =
    token === null
      ? []
      : await tx.$queryRaw<unknown[]>`
          select 1 from invitation
           where token_hash = ${hashOf(token)} and revoked_at is null and expires_at > now() and uses < max_uses`
  if (rows.length === 0) throw needed()
}

/** Uses an invitation, in the transaction that creates the account. @throws ParleyError FORBIDDEN if it can't be used */
export async function redeem(tx: Transaction, token: string | null): Promise<void> {
  const used =
    token === null
      ? 0
      : await tx.$executeRaw`
          update invitation set uses = uses + 1
           where token_hash = ${hashOf(token)} and revoked_at is null and expires_at > now() and uses < max_uses`
  if (used === 0) throw needed()
}

function needed(): ParleyError {
  const message = 'To sign up on this server, you need a valid invitation.'
  return new ParleyError('FORBIDDEN', message, { argument: 'input.invitation' })
}

const hashOf = (token: string) => createHash('sha256').update(token).digest()
