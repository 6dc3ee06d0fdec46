// Imports from another system: a conversation that has no members yet is filled with messages, with their own times, and then its
// members join. Nobody is notified of anything in it.

import type { Done } from '../conversation/actions.ts'
import type { Kind, Role } from '../conversation/capabilities.ts'
import { joining } from '../conversation/events.ts'
import { lockConversation, requireRoom } from '../conversation/group-actions.ts'
import { badInput, notFound, ParleyError } from '../errors.ts'
import { type ConversationId, conversationIdOf, systemId, type UserId, userIdOf } from '../id.ts'
import { type ImportInput, type ImportOutcome, importKey, importProcedure } from '../message/import.ts'
import type { App } from '../parts.ts'
import { jsonColumn } from '../store/json-column.ts'
import { statement } from '../store/reader.ts'
import type { Transaction } from '../store/store.ts'
import type { ServerKey } from '../viewer.ts'
import { requireMembers } from './conversation-actions.ts'
import { requireTenant } from './key-actions.ts'
import { isFor } from './server-keys.ts'

/** A conversation to import. */
export type ImportedConversation = {
  readonly externalId: string
  readonly tenant: string | null
  readonly title: string | null
  readonly description: string | null
  /** Custom data as JSON text. */
  readonly data: string | null
  readonly createdAt: Date | null
  /** The two people of a direct conversation; null for a group. */
  readonly pair: readonly [UserId, UserId] | null
}

type ImportedRow = {
  readonly id: ConversationId
  readonly kind: Kind
  readonly tenant: string | null
  readonly importing: boolean
}
const known = statement<ImportedRow>(
  'import_known',
  'select id, kind, tenant, importing from conversation where external_id = $1',
)
const byId = statement<ImportedRow>('import_by_id', 'select id, kind, tenant, importing from conversation where id = $1')
/** How many of these users there are in a tenant. */
const present = statement<{ count: number }>(
  'import_users',
  `select count(*)::int as count from "user" where id = any($1::bigint[]) and tenant is not distinct from $2`,
)

/**
 * Begins the import of a conversation, or finds the one that was begun or completed with this external id.
 * @throws ParleyError EXTERNAL_ID_TAKEN; FORBIDDEN for a tenant that is not the key's; NOT_FOUND for a person of another tenant; BAD_INPUT
 *   if the two people of a direct conversation have one already; UNAVAILABLE
 */
export async function importConversation(by: ServerKey, wanted: ImportedConversation, app: App): Promise<Done> {
  const { externalId, pair, createdAt, title, description } = wanted
  if (wanted.tenant !== null) requireTenant(by, wanted.tenant, 'input.tenant')
  const tenant = wanted.tenant ?? by.tenant
  const [before] = await app.store.reader.rows(known, [externalId])
  if (before) return begun(before, by, pair)
  const people = pair === null ? {} : { directLow: Math.min(...pair), directHigh: Math.max(...pair) }
  const settings = { kind: pair === null ? 'GROUP' : 'DIRECT', externalId, tenant, title, description, importing: true } as const
  const dated = createdAt === null ? {} : { createdAt }
  try {
    const { result } = await app.journal.writing(async (tx) => {
      if (pair !== null) await requireMembers(tx, tenant, pair)
      const { id } = await tx.conversation.create({ data: { ...settings, ...people, ...dated, data: jsonColumn(wanted.data) } })
      return { result: conversationIdOf(id), facts: [] }
    })
    return { conversationId: result, place: null }
  } catch (error) {
    if ((error as { code?: string }).code !== 'P2002') throw error
    // Another request may just have begun it. Otherwise the two have one already.
    const [now] = await app.store.reader.rows(known, [externalId])
    if (now) return begun(now, by, pair)
    throw badInput('input.memberIds', 'must be two people who have no conversation yet')
  }
}

function begun(found: ImportedRow, by: ServerKey, pair: readonly UserId[] | null): Done {
  const isSame = isFor(by, found) && (found.kind === 'DIRECT') === (pair !== null)
  if (!isSame) throw new ParleyError('EXTERNAL_ID_TAKEN', 'The external ID is taken.', { argument: 'input.externalId' })
  return { conversationId: found.id, place: null }
}

/** A message to import: `senderId` is null for a system message. */
export type ImportedMessage = Pick<ImportInput, 'text' | 'mentionedUserIds' | 'data' | 'createdAt'> & {
  readonly externalId: string
  readonly senderId: UserId | null
  /** The foreign id of the message that this one replies to. */
  readonly replyToExternalId: string | null
}

/**
 * Stores messages of a conversation that is being imported, in this order. Repeating it changes nothing.
 * @returns the outcome of each
 * @throws ParleyError NOT_FOUND for the conversation, or for a sender or mentioned user of another tenant; UNAVAILABLE
 */
export async function importMessages(
  by: ServerKey,
  conversationId: ConversationId,
  messages: readonly ImportedMessage[],
  app: App,
): Promise<ImportOutcome[]> {
  const [conversation] = await app.store.reader.rows(byId, [conversationId])
  if (!conversation || !isFor(by, conversation)) throw notFound('Conversation')
  const people = new Set(messages.flatMap(({ senderId, mentionedUserIds }) => [senderId ?? systemId, ...mentionedUserIds]))
  people.delete(systemId)
  const [found] = await app.store.reader.rows(present, [[...people], conversation.tenant])
  if (found?.count !== people.size) throw notFound('User')
  const keyOf = (externalId: string) => importKey(conversationId, externalId)
  return Promise.all(
    messages.map(({ externalId, senderId, replyToExternalId, ...message }) => {
      const replyToKey = replyToExternalId === null ? null : keyOf(replyToExternalId)
      const input = {
        ...message,
        conversationId,
        senderId: senderId ?? systemId,
        clientMessageId: keyOf(externalId),
        replyToKey,
        isOpen: conversation.importing,
      }
      return app.journal.append(importProcedure, -conversationId, input)
    }),
  )
}

/** A member of a conversation whose import is complete. */
export type ImportedMember = { readonly userId: UserId; readonly role: Role }

/**
 * Completes an import: the members join, see everything, and have read everything. Repeating it changes nothing.
 * @param members of a group: the one with the role OWNER, or the first one, owns it; null for a direct conversation
 * @throws ParleyError NOT_FOUND, also for a member of another tenant; BAD_INPUT for two owners, or for members of a direct conversation;
 *   LIMIT_EXCEEDED, UNAVAILABLE
 */
export async function completeImport(
  by: ServerKey,
  conversationId: ConversationId,
  members: readonly ImportedMember[] | null,
  app: App,
): Promise<Done> {
  const { place } = await app.journal.writing(async (tx) => {
    const locked = await lockConversation(tx, conversationId)
    if (!locked || !isFor(by, locked)) throw notFound('Conversation')
    if (!locked.isImporting) return { result: undefined, facts: [] }
    if ((locked.kind === 'DIRECT') !== (members === null))
      throw badInput('input.members', 'must be given for groups, and only for them')
    const joined = members === null ? await readPair(tx, conversationId) : withOwner(members, app)
    const ids = joined.map(({ userId }) => userId)
    await requireMembers(tx, locked.tenant, ids, 'input.members')
    await tx.member.createMany({ data: joined.map((member) => ({ conversationId, ...member })) })
    await tx.conversation.update({ where: { id: conversationId }, data: { importing: false } })
    return { result: undefined, facts: joining(conversationId, ids, null, 'ALL') }
  })
  return { conversationId, place }
}

async function readPair(tx: Transaction, conversationId: ConversationId): Promise<ImportedMember[]> {
  const { directLow, directHigh } = await tx.conversation.findUniqueOrThrow({ where: { id: conversationId } })
  return [directLow, directHigh].flatMap((id) => (id === null ? [] : [{ userId: userIdOf(id), role: 'MEMBER' as const }]))
}

function withOwner(members: readonly ImportedMember[], app: App): readonly ImportedMember[] {
  requireRoom(members.length, 'input.members', app)
  const owners = members.filter(({ role }) => role === 'OWNER').length
  if (owners > 1) throw badInput('input.members', 'must have one owner')
  const [first, ...others] = members
  return owners === 1 || !first ? members : [{ ...first, role: 'OWNER' }, ...others]
}
