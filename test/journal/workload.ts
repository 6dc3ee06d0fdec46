// The workload of the stress test: a few conversations with their users, and the rare writes of its actors.

import type pg from 'pg'
import { conversationKinds } from '../../src/conversation/events.ts'
import type { Random } from '../support/random.ts'
import { membersMax, renameKind } from './laws.ts'
import { joins, leaves, type PlainFact, request, row } from './setup.ts'

/** How many of each take part. Conversations begin with fewer members than they may have: see `membersMax`. */
export const crowd = { batchers: 4, actors: 6, conversations: 40, users: 20, atFirst: 9, groupSize: 50 } as const

/** The user who is always in a conversation. */
export const ownerOf = (conversationId: number) => conversationId * 100
/** A random conversation; the first few are hot. */
export const anyConversation = (random: Random) => random.whole(1, random.chance(0.3) ? 3 : crowd.conversations)
/** A random user of a conversation, currently a member or not. */
export const anyUser = (random: Random, conversationId: number) => ownerOf(conversationId) + random.whole(0, crowd.users - 1)
/** The members of the groups that the test creates while it runs. */
export const groupMembers: readonly number[] = Array.from({ length: crowd.groupSize }, (_, i) => 100_000 + i)

/** What an actor does within its transaction: the facts of each request that it makes, as one list. */
export type RareWrite = (client: pg.Client, random: Random, conversationId: number) => Promise<PlainFact[]>

/** The rare writes of the stress test. */
export const acts: { readonly [name: string]: RareWrite } = {
  async add(client, random, conversationId) {
    await client.query('select 1 from conversation where id = $1 for no key update', [conversationId])
    const size = await row<{ n: number }>(client, 'select count(*) as n from member where conversation_id = $1', [conversationId])
    const userId = anyUser(random, conversationId)
    if (size.n >= membersMax) return []
    const text = 'insert into member(conversation_id, user_id) values ($1, $2) on conflict do nothing'
    const { rowCount } = await client.query(text, [conversationId, userId])
    const owner = ownerOf(conversationId)
    const added = {
      kind: conversationKinds.ConversationAdded.number,
      user_id: userId,
      actor_id: owner,
      subject_id: conversationId,
    }
    return rowCount ? [added, joins(conversationId, userId, owner)] : []
  },
  async remove(client, random, conversationId) {
    // Half of them take no lock first: only the member rows order such removals.
    if (random.chance(0.5)) await client.query('select 1 from conversation where id = $1 for no key update', [conversationId])
    const userId = ownerOf(conversationId) + random.whole(1, crowd.users - 1)
    const text = 'delete from member where conversation_id = $1 and user_id = $2'
    const { rowCount } = await client.query(text, [conversationId, userId])
    return rowCount ? [leaves(conversationId, userId, random.one([ownerOf(conversationId), userId]))] : []
  },
  async rename(client, random, conversationId) {
    // By any user, member or not: only the journal refuses strangers (A8).
    const title = `title ${random.fraction()}`
    await client.query('update conversation set title = $2 where id = $1', [conversationId, title])
    const who = { conversation_id: conversationId, actor_id: anyUser(random, conversationId), subject_id: conversationId }
    return [{ kind: renameKind, ...who, payload: { title } }]
  },
  async group(client) {
    const { id } = await row<{ id: number }>(client, `insert into conversation(kind, title) values ('GROUP', 'g') returning id`)
    const members = 'insert into member(conversation_id, user_id) select $1, u from unnest($2::bigint[]) u'
    await client.query(members, [id, groupMembers])
    const owner = groupMembers[0] ?? 0
    const added = { kind: conversationKinds.ConversationAdded.number, actor_id: owner, subject_id: id }
    return [...groupMembers.map((u) => ({ ...added, user_id: u })), ...groupMembers.map((u) => joins(id, u, owner))]
  },
  async savepoint(client, _random, conversationId) {
    const who = { conversation_id: conversationId, actor_id: ownerOf(conversationId), subject_id: conversationId }
    await client.query('savepoint s')
    await request(client, [{ kind: 103, ...who, payload: { undone: true } }])
    await client.query('rollback to savepoint s')
    return [{ kind: 102, ...who }]
  },
}
/** The choices of actors; a more frequent one appears more often. */
export const actNames = ['add', 'add', 'add', 'remove', 'remove', 'remove', 'rename', 'rename', 'group', 'savepoint'] as const
