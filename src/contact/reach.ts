// Checks whether one user may reach another, inside the transaction that brings them together or parts them. A decision that
// depends on blocks, contacts or deleted accounts locks the users' rows first, in the order of their IDs, so of two such writes
// about the same user the later sees the earlier. To everybody, a user of another tenant does not exist.

import { isTenantOf } from '../account/tenant.ts'
import { badInput, ParleyError } from '../errors.ts'
import { type UserId, userIdOf } from '../id.ts'
import type { Transaction } from '../store/store.ts'
import type { Viewer } from '../viewer.ts'

const argument = 'input.userId'

/** The key of a pair: the lower user id first. */
export function pairOf(userId: UserId, otherId: UserId): { lowId: UserId; highId: UserId } {
  return userId < otherId ? { lowId: userId, highId: otherId } : { lowId: otherId, highId: userId }
}

const lockedPair = `select 1 from "user" where id in ($1, $2) and deleted_at is null and ${isTenantOf('tenant', '$3')}
  order by id for no key update`
const lockedAll = `select 1 from "user" where id = any($1::bigint[]) and deleted_at is null and ${isTenantOf('tenant', '$2')}
  order by id for share`

/**
 * Locks the viewer and another user until COMMIT.
 * @throws ParleyError BAD_INPUT for the viewer's own ID, NOT_FOUND if either account does not exist or was deleted, or if the user is
 *   of another tenant
 */
export async function lockPair(tx: Transaction, by: Viewer, userId: UserId): Promise<void> {
  if (userId === by.userId) throw badInput(argument, 'must not be yourself')
  const { lowId, highId } = pairOf(by.userId, userId)
  const rows = await tx.$queryRawUnsafe<unknown[]>(lockedPair, lowId, highId, by.userId)
  if (rows.length !== 2) throw new ParleyError('NOT_FOUND', 'User not found.', { argument })
}

/**
 * Checks that all these accounts exist, and prevents their deletion until COMMIT.
 * @throws ParleyError NOT_FOUND
 */
export async function requireUsers(tx: Transaction, userIds: readonly UserId[], argument: string): Promise<void> {
  const rows = await tx.$queryRaw<unknown[]>`
    select 1 from "user" where id = any(${[...userIds]}::bigint[]) and deleted_at is null order by id for key share`
  requireAll(rows, userIds, argument)
}

/**
 * Checks that the viewer may add these users to a group. Locks them and the viewer until COMMIT, so that none of their policies,
 * contacts and blocks changes in between. `named` is the list as the client sent it.
 * @throws ParleyError NOT_FOUND if an account does not exist, FORBIDDEN with the argument of the first user who does not allow it
 */
export async function requireAdmission(
  tx: Transaction,
  by: Viewer,
  { added, named, argument }: { added: readonly UserId[]; named: readonly UserId[]; argument: string },
): Promise<void> {
  const userIds = [by.userId, ...added]
  const rows = await tx.$queryRawUnsafe<unknown[]>(lockedAll, userIds, by.userId)
  requireAll(rows, userIds, argument)
  const refusing = new Set(await findRefusing(tx, by, added))
  const first = named.findIndex((id) => refusing.has(id))
  if (first >= 0) throw unreachable(`${argument}.${first}`)
}

function requireAll(rows: readonly unknown[], userIds: readonly UserId[], argument: string): void {
  if (rows.length !== userIds.length) throw new ParleyError('NOT_FOUND', 'User not found.', { argument })
}

/** @throws ParleyError FORBIDDEN if either of the two has blocked the other */
export async function requireNoBlock(tx: Transaction, by: Viewer, userId: UserId): Promise<void> {
  const blocks = await tx.block.count({ where: { blockerId: userId, blockedId: by.userId } })
  if (blocks > 0) throw unreachable(argument)
  await requireNoOwnBlock(tx, by, userId)
}

async function requireNoOwnBlock(tx: Transaction, by: Viewer, userId: UserId): Promise<void> {
  const own = await tx.block.count({ where: { blockerId: by.userId, blockedId: userId } })
  if (own > 0) throw new ParleyError('FORBIDDEN', 'You have blocked this user. Unblock them first.', { argument })
}

/**
 * Checks that the viewer may start a direct conversation with a user. The caller has locked both.
 * @throws ParleyError FORBIDDEN if one has blocked the other, or if the user's message policy does not allow it
 */
export async function requireReach(tx: Transaction, by: Viewer, userId: UserId): Promise<void> {
  if ((await findRefusing(tx, by, [userId])).length > 0) throw unreachable(argument)
  await requireNoOwnBlock(tx, by, userId)
}

/** Finds the users who have blocked the viewer or whose message policy excludes the viewer. The caller has locked all of them. */
async function findRefusing(tx: Transaction, by: Viewer, userIds: readonly UserId[]): Promise<UserId[]> {
  const rows = await tx.$queryRaw<{ id: bigint }[]>`
    select u.id from "user" u
     where u.id = any(${[...userIds]}::bigint[])
       and (exists (select 1 from block b where b.blocker_id = u.id and b.blocked_id = ${by.userId})
         or u.message_policy <> 'ANYONE'
            and not exists (select 1 from contact c
                             where c.low_id = least(u.id, ${by.userId}) and c.high_id = greatest(u.id, ${by.userId})
                               and c.accepted_at is not null)
            and (u.message_policy = 'CONTACTS'
              or not exists (select 1 from member theirs
                               join member own on own.conversation_id = theirs.conversation_id and own.user_id = ${by.userId}
                               join conversation g on g.id = theirs.conversation_id and g.kind = 'GROUP'
                              where theirs.user_id = u.id)))`
  return rows.map(({ id }) => userIdOf(id))
}

/** Blocks and message policies get the same error, so that it does not reveal a block. */
function unreachable(argument: string): ParleyError {
  return new ParleyError('FORBIDDEN', 'This user does not accept messages from you.', { argument })
}
