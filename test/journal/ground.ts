// What the journal's own tests stand on: SQL connections with names, conversations with members made without a node, one
// CALL of the batch as a function, and patience for what has no event to wait for.

import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { factKinds, type NewFact } from '../../src/journal/fact.ts'
import { type SendInput, sendProcedure } from '../../src/journal/send.ts'
import { openLog } from '../../src/log.ts'
import { migrate } from '../../src/store/migrate.ts'
import { connectionSettings } from '../../src/store/postgres.ts'
import { closeAtEnd, createDatabase } from '../support/node.ts'

/** A fresh database as a node leaves it when it has started: with the time-outs of the role, which no copy carries along. */
export async function createJournal(): Promise<string> {
  const databaseUrl = await createDatabase()
  await migrate(databaseUrl, openLog('error', 'test'))
  return databaseUrl
}

/** A connection with a name of its own and Parley's way of reading values. */
export async function connectAs(databaseUrl: string, applicationName: string): Promise<pg.Client> {
  const client = new pg.Client(connectionSettings(databaseUrl, applicationName))
  client.on('error', () => undefined)
  await client.connect()
  closeAtEnd(() => client.end())
  return client
}

/** The one row of a query, with the columns that it is known to have. */
export async function row<Row extends pg.QueryResultRow>(client: pg.Client, text: string, values: unknown[] = []): Promise<Row> {
  const { rows } = await client.query<Row>(text, values)
  if (!rows[0]) throw new Error(`no row: ${text}`)
  return rows[0]
}

/** Asks again and again until something holds. Fails after `limitMs`. */
export async function eventually(what: string, holds: () => Promise<boolean> | boolean, limitMs = 10_000): Promise<void> {
  const deadline = Date.now() + limitMs
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for: ${what}`)
    await delay(5)
  }
}

/** How long something takes, in milliseconds. */
export async function duration(act: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await act()
  return performance.now() - start
}

/** What one CALL of the batch answers. */
export type BatchAnswer = {
  positions: (number | null)[]
  seqs: (number | null)[]
  statuses: number[]
  at: Date
  batch_tag: number
  previous_tag: number
}

/** Sends a batch in the very words of the node. */
export async function sendBatch(client: pg.Client, inputs: readonly SendInput[]): Promise<BatchAnswer> {
  const { name, text } = sendProcedure
  const { rows } = await client.query<BatchAnswer>({ name, text, values: sendProcedure.values(inputs) })
  if (!rows[0]) throw new Error('the batch gave no row')
  return rows[0]
}

/** A message to send, with a new key where none is given. */
export function input(conversationId: number, senderId: number, text: string, clientMessageId: string = randomUUID()): SendInput {
  return { conversationId, senderId, clientMessageId, text, replyToId: null, mentionedUserIds: [] }
}

/** Has facts numbered by an ordinary transaction of this connection, or by the one it is in. */
export async function request(client: pg.Client, facts: readonly NewFact[], tag = -1): Promise<void> {
  await client.query('insert into journal_request(tag, facts) values ($1, $2)', [tag, JSON.stringify(facts)])
}

/** The fact of somebody joining. */
export function joins(conversationId: number, userId: number, actorId: number): NewFact {
  const whom = { conversation_id: conversationId, actor_id: actorId, subject_id: userId }
  return { kind: factKinds.MemberJoined, ...whom, audience_change: 1 }
}

/** The fact of somebody leaving. */
export function leaves(conversationId: number, userId: number, actorId: number): NewFact {
  const whom = { conversation_id: conversationId, actor_id: actorId, subject_id: userId }
  return { kind: factKinds.MemberLeft, ...whom, audience_change: -1 }
}

/** Makes users who are in nothing yet. */
export async function createUsers(client: pg.Client, userIds: readonly number[]): Promise<void> {
  const text = `insert into "user"(id, username, display_name) select u, 'user' || u, 'User ' || u from unnest($1::bigint[]) u`
  await client.query(text, [userIds])
}

/** Makes a group with this number; the first of its members is the actor of all joins. */
export async function createGroup(client: pg.Client, conversationId: number, memberIds: readonly number[]): Promise<void> {
  const [owner] = memberIds
  if (owner === undefined) throw new Error('a group has a member')
  await client.query('begin')
  await client.query(`insert into conversation(id, kind, title) values ($1, 'GROUP', 'at first')`, [conversationId])
  await client.query('insert into member(conversation_id, user_id) select $1, u from unnest($2::bigint[]) u', [
    conversationId,
    memberIds,
  ])
  await request(
    client,
    memberIds.map((userId) => joins(conversationId, userId, owner)),
  )
  await client.query('commit')
}
