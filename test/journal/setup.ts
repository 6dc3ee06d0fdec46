// Setup of the journal's own tests: named SQL connections, conversations with members made without a node, one CALL of the
// batch as a function, and polling for conditions without an event.

import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { conversationKinds } from '../../src/conversation/events.ts'
import { conversationIdOf, userIdOf } from '../../src/id.ts'
import type { NewFact } from '../../src/journal/fact.ts'
import { openLog } from '../../src/log/log.ts'
import { type SendInput, type SendOutcome, sendProcedure } from '../../src/message/send.ts'
import { migrate } from '../../src/store/migrate.ts'
import { connectionSettings } from '../../src/store/postgres.ts'
import { closeAtEnd, createDatabase, type Node } from '../support/node.ts'

/** A fresh database as a started node leaves it: with the time-outs of the role, which no copy inherits. */
export async function createJournal(): Promise<string> {
  const databaseUrl = await createDatabase()
  await migrate(databaseUrl, openLog('error', 'test'))
  return databaseUrl
}

/** A named connection that reads values as Parley does. */
export async function connectAs(databaseUrl: string, applicationName: string): Promise<pg.Client> {
  const client = new pg.Client(connectionSettings(databaseUrl, applicationName))
  client.on('error', () => undefined)
  await client.connect()
  closeAtEnd(() => client.end())
  return client
}

/** The single row of a query, with its known columns. */
export async function row<Row extends pg.QueryResultRow>(client: pg.Client, text: string, values: unknown[] = []): Promise<Row> {
  const { rows } = await client.query<Row>(text, values)
  if (!rows[0]) throw new Error(`no row: ${text}`)
  return rows[0]
}

/** Polls until a condition holds. Fails after `limitMs`. */
export async function eventually(what: string, holds: () => Promise<boolean> | boolean, limitMs = 30_000): Promise<void> {
  const deadline = Date.now() + limitMs
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`timed out waiting for ${what}`)
    await delay(5)
  }
}

/** How long `act` takes, in milliseconds. */
export async function duration(act: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await act()
  return performance.now() - start
}

/** The answer of one CALL of the batch. */
export type BatchAnswer = {
  positions: (number | null)[]
  seqs: (number | null)[]
  statuses: number[]
  at: Date
  batch_tag: number
  previous_tag: number
}

/** Sends a batch with the statement of the node. */
export async function sendBatch(client: pg.Client, inputs: readonly SendInput[]): Promise<BatchAnswer> {
  const { name, text } = sendProcedure
  const { rows } = await client.query<BatchAnswer>({ name, text, values: sendProcedure.values(inputs) })
  if (!rows[0]) throw new Error('the batch gave no row')
  return rows[0]
}

/** Appends a send, bypassing the API. */
export function appendSend({ app }: Pick<Node, 'app'>, input: SendInput): Promise<SendOutcome> {
  return app.journal.append(sendProcedure, input.senderId, input)
}

/** A message to send, with a new key unless one is given. */
export function input(conversationId: number, senderId: number, text: string, clientMessageId: string = randomUUID()): SendInput {
  const about = { conversationId: conversationIdOf(conversationId), senderId: userIdOf(senderId) }
  return {
    ...about,
    clientMessageId,
    text,
    replyToId: null,
    mentionedUserIds: [],
    attachments: null,
    data: null,
    changed: null,
    sealed: null,
  }
}

/** A fact for a rare write, with plain numbers. */
export type PlainFact = Omit<NewFact, 'conversation_id' | 'user_id' | 'actor_id'> & {
  conversation_id?: number
  user_id?: number
  actor_id?: number
}

/** Has facts numbered by an ordinary transaction of this connection, or by its current one. */
export async function request(client: pg.Client, facts: readonly PlainFact[], tag = -1): Promise<void> {
  await client.query('insert into journal_request(tag, facts) values ($1, $2)', [tag, JSON.stringify(facts)])
}

/** The fact of a join. */
export function joins(conversationId: number, userId: number, actorId: number): PlainFact {
  const ids = { conversation_id: conversationId, actor_id: actorId, subject_id: userId }
  return { kind: conversationKinds.MemberJoined.number, ...ids, audience_change: 1 }
}

/** The fact of a leave. */
export function leaves(conversationId: number, userId: number, actorId: number): PlainFact {
  const ids = { conversation_id: conversationId, actor_id: actorId, subject_id: userId }
  return { kind: conversationKinds.MemberLeft.number, ...ids, audience_change: -1 }
}

/** Creates users without conversations. */
export async function createUsers(client: pg.Client, userIds: readonly number[]): Promise<void> {
  const text = `insert into "user"(id, username, display_name) select u, 'user' || u, 'User ' || u from unnest($1::bigint[]) u`
  await client.query(text, [userIds])
}

/** Creates a group with this id; the first member is the actor of all joins, whose facts may say more. */
export async function createGroup(
  client: pg.Client,
  conversationId: number,
  memberIds: readonly number[],
  more: Partial<PlainFact> = {},
): Promise<void> {
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
    memberIds.map((userId) => ({ ...joins(conversationId, userId, owner), ...more })),
  )
  await client.query('commit')
}
