// A node of Parley with users. Users and their sessions are written to the database, because ten thousand passwords would take
// minutes to hash; their tokens are signed with the node's secret, and everything else goes through the API.

import { createTokens } from '../../src/account/tokens.ts'
import { systemClock } from '../../src/clock.ts'
import { encodeId, sessionIdOf, userIdOf } from '../../src/id.ts'
import { unlimited } from '../../test/support/rates.ts'
import type { ParleyServer, ParleySettings } from '../servers/parley.ts'
import { query } from './backends.ts'
import { root } from './build.ts'
import { type Child, startChild } from './child.ts'

const tokenSecret = 'the token secret of the whole of the bench'
const tokenLifeS = 86_400

/** A running node. */
export type Node = Child<ParleyServer> & { readonly url: string; readonly socketUrl: string; readonly databaseUrl: string }
/** A user, with the access token of each device. */
export type Person = { readonly id: string; readonly number: number; readonly tokens: readonly string[] }
/** A new group, with its members. */
export type Conversation = { readonly id: string; readonly number: number; readonly members: readonly Person[] }

/** The flags with which `npm start` runs a node. */
const nodeFlags = ['--max-semi-space-size=64', '--v8-pool-size=1']

/** Starts a node in a process of its own. */
export async function startNode(databaseUrl: string, environment: Record<string, string> = {}, isServing = true): Promise<Node> {
  const settings: ParleySettings = {
    root,
    databaseUrl,
    tokenSecret,
    isServing,
    environment: {
      PARLEY_ACCESS_TOKEN_TTL_S: String(tokenLifeS),
      // All clients of the bench have one address.
      PARLEY_SOCKETS_PER_ADDRESS_MAX: '1000000',
      PARLEY_SOCKETS_WITHOUT_SESSION_PER_ADDRESS_MAX: '1000000',
      ...unlimited,
      ...environment,
    },
  }
  const child = await startChild<ParleyServer>('servers/parley', settings, nodeFlags)
  const host = `127.0.0.1:${await child.call('port')}`
  return { ...child, databaseUrl, url: `http://${host}/graphql`, socketUrl: `ws://${host}/graphql` }
}

/** Writes a number of users with a number of devices each. */
export async function createPeople(databaseUrl: string, count: number, devicesEach = 1): Promise<Person[]> {
  const tokens = createTokens(tokenSecret, tokenLifeS, null, systemClock)
  const rows = await query(databaseUrl, async (client) => {
    const result = await client.query<{ userId: string; sessionIds: string[] }>(
      `with people as (
         insert into "user"(username, display_name, search_name)
           select 'bench' || n, 'Person ' || n, 'person ' || n from generate_series(
             (select count(*) + 1 from "user"), (select count(*) from "user") + $1::int) n returning id),
       sessions as (
         insert into session(user_id, device_name, expires_at)
           select id, 'Bench', now() + interval '30 days' from people, generate_series(1, $2::int) returning id, user_id)
       select user_id as "userId", array_agg(id) as "sessionIds" from sessions group by user_id order by user_id`,
      [count, devicesEach],
    )
    await client.query('analyze "user", session')
    return result.rows
  })
  return Promise.all(
    rows.map(async ({ userId, sessionIds }) => {
      const number = userIdOf(userId)
      const signed = await Promise.all(sessionIds.map((sessionId) => tokens.signAccess(number, sessionIdOf(sessionId))))
      return { id: encodeId('User', number), number, tokens: signed.map(({ token }) => token) }
    }),
  )
}

/** Sends a request to a node over HTTP. */
export async function ask<Data>(url: string, document: string, variables: object, token: string): Promise<Data> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: document, variables }),
  })
  const { data, errors } = (await response.json()) as { data?: Data; errors?: unknown }
  if (errors || !data) throw new Error(JSON.stringify(errors))
  return data
}

/** Creates a group; its first member owns it. */
export async function createGroup(node: Node, title: string, members: readonly Person[]): Promise<Conversation> {
  const [owner, ...others] = members
  const document = 'mutation G($input: CreateGroupInput!) { createGroup(input: $input) { conversation { id } } }'
  const input = { title, memberIds: others.map(({ id }) => id) }
  const { createGroup: made } = await ask<{ createGroup: { conversation: { id: string } } }>(
    node.url,
    document,
    { input },
    owner?.tokens[0] ?? '',
  )
  const { id } = made.conversation
  return { id, number: Number.parseInt(id.split('_')[1] ?? '', 36), members }
}

/** Waits until the search index has followed the journal, so that no round pays for an earlier one. */
export async function settle(databaseUrl: string): Promise<void> {
  await query(databaseUrl, async (client) => {
    for (;;) {
      const { rows } = await client.query<{ behind: string }>(
        'select coalesce((select max(position) from fact), 0) - (select position from message_search_progress) as behind',
      )
      if (Number(rows[0]?.behind) <= 0) return
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  })
}
