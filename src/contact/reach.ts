// Who may reach whom: the locks and checks inside the transactions that bring two people together or part them. Whatever is
// decided by blocks, contacts or the end of an account is decided with the rows of the users locked, in the order of their
// ids; so of two such writes about the same person one sees what the other did.

import { badInput, ParleyError } from '../errors.ts'
import type { Prisma } from '../store/store.ts'
import type { Viewer } from '../viewer.ts'

type Transaction = Prisma.TransactionClient

const argument = 'input.userId'

/** The key of a pair: the lower user id first. */
export function pairOf(userId: number, otherId: number): { lowId: number; highId: number } {
  return userId < otherId ? { lowId: userId, highId: otherId } : { lowId: otherId, highId: userId }
}

/**
 * Locks oneself and another user until COMMIT.
 * @throws ParleyError BAD_INPUT for oneself, NOT_FOUND where the account of either is not there, or gone
 */
export async function lockPair(tx: Transaction, by: Viewer, userId: number): Promise<void> {
  if (userId === by.userId) throw badInput(argument, 'is yourself')
  const { lowId, highId } = pairOf(by.userId, userId)
  const rows = await tx.$queryRaw<unknown[]>`
    select 1 from "user" where id in (${lowId}, ${highId}) and deleted_at is null order by id for no key update`
  if (rows.length !== 2) throw new ParleyError('NOT_FOUND', 'User not found', { argument })
}

/**
 * Checks that all these accounts are there, and keeps them from being deleted until COMMIT.
 * @throws ParleyError NOT_FOUND
 */
export async function requireUsers(tx: Transaction, userIds: readonly number[], argument: string): Promise<void> {
  const rows = await tx.$queryRaw<unknown[]>`
    select 1 from "user" where id = any(${[...userIds]}::bigint[]) and deleted_at is null order by id for key share`
  if (rows.length !== userIds.length) throw new ParleyError('NOT_FOUND', 'User not found', { argument })
}

/** @throws ParleyError FORBIDDEN where one of these people has blocked the viewer. */
export async function requireUnblocked(tx: Transaction, by: Viewer, userIds: readonly number[], argument: string): Promise<void> {
  const blocks = await tx.block.count({ where: { blockerId: { in: [...userIds] }, blockedId: by.userId } })
  if (blocks > 0) throw unreachable(argument)
}

/** @throws ParleyError FORBIDDEN where there is a block between the two, whoever made it. */
export async function requireNoBlock(tx: Transaction, by: Viewer, userId: number): Promise<void> {
  await requireUnblocked(tx, by, [userId], argument)
  const own = await tx.block.count({ where: { blockerId: by.userId, blockedId: userId } })
  if (own > 0) throw new ParleyError('FORBIDDEN', 'You have blocked this person: unblock them first', { argument })
}

/**
 * Checks that the viewer may begin to write to somebody. Both users are locked.
 * @throws ParleyError FORBIDDEN where there is a block between them, or the other's message policy does not let them
 */
export async function requireReach(tx: Transaction, by: Viewer, userId: number): Promise<void> {
  await requireNoBlock(tx, by, userId)
  const { messagePolicy } = await tx.user.findUniqueOrThrow({ where: { id: userId }, select: { messagePolicy: true } })
  if (messagePolicy === 'ANYONE') return
  const contact = await tx.contact.count({ where: { ...pairOf(by.userId, userId), acceptedAt: { not: null } } })
  if (contact > 0) return
  if (messagePolicy === 'CONTACTS' || !(await shareConversation(tx, by.userId, userId))) throw unreachable(argument)
}

async function shareConversation(tx: Transaction, userId: number, otherId: number): Promise<boolean> {
  const rows = await tx.$queryRaw<unknown[]>`
    select 1 from member m join member o using (conversation_id) where m.user_id = ${userId} and o.user_id = ${otherId} limit 1`
  return rows.length > 0
}

/** The one refusal for a block and for a message policy, so that neither can be told from the other. */
function unreachable(argument: string): ParleyError {
  return new ParleyError('FORBIDDEN', 'Somebody whom you name does not let you reach them', { argument })
}
