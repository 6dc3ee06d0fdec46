// Groups that a backend keeps as its own records say: a course, an order, a team. It acts for itself, so roles and message policies
// do not matter, and the facts have no actor.

import type { Done } from '../conversation/actions.ts'
import type { Role } from '../conversation/capabilities.ts'
import { conversationUpdated, type HistoryVisibility, joining, memberLeft, memberUpdated } from '../conversation/events.ts'
import { admit, type LockedGroup, lockConversation, requireRoom } from '../conversation/group-actions.ts'
import { badInput, ParleyError } from '../errors.ts'
import { type ConversationId, conversationIdOf, type UserId } from '../id.ts'
import type { NewFact } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import { jsonColumn } from '../store/json-column.ts'
import { statement } from '../store/reader.ts'
import type { Transaction } from '../store/store.ts'
import type { ServerKey } from '../viewer.ts'
import { requireTenant } from './key-actions.ts'
import { isFor } from './server-keys.ts'

/** How often to look again for a group that another request has just made. */
const attemptsMax = 5

/** A group to make or to change. What is omitted stays as it is, or gets a default. */
export type UpsertedConversation = {
  readonly externalId: string
  /** The tenant. It cannot change. */
  readonly tenant?: string
  /** A new group needs one. */
  readonly title?: string
  readonly description?: string | null
  readonly historyVisibility?: HistoryVisibility
  /** Custom data as JSON text; null removes it. */
  readonly data?: string | null
  /** All members, without duplicates; the first one owns a new group. */
  readonly memberIds?: readonly UserId[]
}

const byExternalId = statement<{ id: ConversationId; tenant: string | null }>(
  'conversation_by_external_id',
  'select id, tenant from conversation where external_id = $1',
)

/** Finds a conversation of the key's tenant by its external id; null if there is none. */
export async function findConversationByExternalId(
  by: ServerKey,
  externalId: string,
  { store }: App,
): Promise<ConversationId | null> {
  const [found] = await store.reader.rows(byExternalId, [externalId])
  return found && isFor(by, found) ? found.id : null
}

/**
 * Makes a group, or changes it. Repeating it changes nothing.
 * @throws ParleyError BAD_INPUT without a title for a new group, or for another tenant than that of the group; EXTERNAL_ID_TAKEN,
 *   FORBIDDEN for a tenant that is not the key's; NOT_FOUND for a member who does not exist or is of another tenant; LIMIT_EXCEEDED,
 *   UNAVAILABLE
 */
export async function upsertConversation(by: ServerKey, group: UpsertedConversation, app: App): Promise<Done> {
  if (group.tenant !== undefined) requireTenant(by, group.tenant, 'input.tenant')
  if (group.memberIds) requireRoom(group.memberIds.length, 'input.memberIds', app)
  for (let attempt = 1; ; attempt += 1) {
    const [known] = await app.store.reader.rows(byExternalId, [group.externalId])
    if (known) {
      if (!isFor(by, known)) {
        throw new ParleyError('EXTERNAL_ID_TAKEN', 'The external ID is taken.', { argument: 'input.externalId' })
      }
      if (group.tenant !== undefined && group.tenant !== known.tenant) {
        throw badInput('input.tenant', 'must be the one in which the conversation was made')
      }
      return change(known.id, group, app)
    }
    try {
      return await create(group, group.tenant ?? by.tenant, app)
    } catch (error) {
      // Another request may just have made it.
      if ((error as { code?: string }).code !== 'P2002' || attempt >= attemptsMax) throw error
    }
  }
}

async function create(group: UpsertedConversation, tenant: string | null, app: App): Promise<Done> {
  const { externalId, title, description = null, historyVisibility = 'ALL', data: custom = null, memberIds = [] } = group
  if (title === undefined) throw badInput('input.title', 'must be given for a new group')
  const { result, place } = await app.journal.writing(async (tx) => {
    await requireMembers(tx, tenant, memberIds)
    const settings = { kind: 'GROUP', externalId, tenant, title, description, historyVisibility } as const
    const { id } = await tx.conversation.create({ data: { ...settings, data: jsonColumn(custom) } })
    const conversationId = conversationIdOf(id)
    await tx.member.createMany({
      data: memberIds.map((userId, i) => ({ conversationId, userId, ...(i === 0 ? { role: 'OWNER' as const } : {}) })),
    })
    return { result: conversationId, facts: joining(conversationId, memberIds, null, historyVisibility) }
  })
  return { conversationId: result, place }
}

async function change(conversationId: ConversationId, wanted: UpsertedConversation, app: App): Promise<Done> {
  const { place } = await app.journal.writing(async (tx) => {
    const group = await lockConversation(tx, conversationId)
    if (!group) throw new Error('a conversation is never removed')
    if (wanted.memberIds && group.isImporting) throw badInput('input.memberIds', 'must wait: the conversation is being imported')
    const settings = await changeSettings(tx, group, wanted)
    const members = wanted.memberIds ? await changeMembers(tx, { ...group, ...settings.now }, wanted.memberIds) : []
    return { result: undefined, facts: [...settings.facts, ...members] }
  })
  return { conversationId, place }
}

async function changeSettings(tx: Transaction, group: LockedGroup, wanted: UpsertedConversation) {
  const { title = group.title, description = group.description, historyVisibility = group.historyVisibility } = wanted
  const { data = group.data } = wanted
  const isChange =
    title !== group.title ||
    description !== group.description ||
    historyVisibility !== group.historyVisibility ||
    data !== group.data
  const now = { title, description, historyVisibility, data }
  if (!isChange) return { now, facts: [] }
  await tx.conversation.update({ where: { id: group.id }, data: { ...now, data: jsonColumn(data) } })
  return { now, facts: [conversationUpdated(group.id, null)] }
}

/** Adds the members who are missing, and removes the others. If the owner goes, the longest-standing admin or member owns the group. */
async function changeMembers(tx: Transaction, group: LockedGroup, memberIds: readonly UserId[]): Promise<NewFact[]> {
  const { id: conversationId, members } = group
  const wanted = new Set(memberIds)
  const added = memberIds.filter((userId) => !members.has(userId))
  const gone = [...members.keys()].filter((userId) => !wanted.has(userId))
  await requireMembers(tx, group.tenant, added)
  await tx.departure.deleteMany({ where: { conversationId, userId: { in: added } } })
  // The backend decides who is in its groups: a ban that the group had is over.
  await tx.ban.deleteMany({ where: { conversationId, userId: { in: added } } })
  await tx.member.deleteMany({ where: { conversationId, userId: { in: gone } } })
  const joins = await admit(tx, group, added, null)
  const left = [...members].filter(([userId]) => wanted.has(userId))
  const owner = left.some(([, role]) => role === 'OWNER') ? null : (findAdmin(left) ?? left[0]?.[0] ?? added[0] ?? null)
  if (owner !== null) {
    await tx.member.update({ where: { conversationId_userId: { conversationId, userId: owner } }, data: { role: 'OWNER' } })
  }
  return [
    ...joins,
    ...(owner === null ? [] : [memberUpdated(conversationId, owner, null)]),
    ...gone.map((userId) => memberLeft(conversationId, userId, null)),
  ]
}

const findAdmin = (members: readonly (readonly [UserId, Role])[]) => members.find(([, role]) => role === 'ADMIN')?.[0]

/** Checks that users of this tenant exist, and prevents their deletion until COMMIT. @throws ParleyError NOT_FOUND */
export async function requireMembers(
  tx: Transaction,
  tenant: string | null,
  userIds: readonly UserId[],
  argument = 'input.memberIds',
): Promise<void> {
  const rows = await tx.$queryRaw<unknown[]>`
    select 1 from "user" where id = any(${[...userIds]}::bigint[]) and deleted_at is null and tenant is not distinct from ${tenant}
     order by id for key share`
  if (rows.length !== userIds.length) throw new ParleyError('NOT_FOUND', 'User not found.', { argument })
}
