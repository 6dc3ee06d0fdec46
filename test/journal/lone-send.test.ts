// What a lone send costs, with the durable readers that follow it.

import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { vapid } from '../push/support.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { graphql } from '../support/generated/index.ts'
import { connect, type Node, openNode, openPair } from '../support/node.ts'
import { until } from '../support/until.ts'

const LoneSend = graphql(
  `mutation LoneSend($input: SendMessageInput!) { sendMessage(input: $input) { message { id seq } cursor } }`,
)

type Query = (this: pg.Client, ...given: unknown[]) => unknown
type Settings = { readonly connectionParameters: { readonly application_name?: string } }
const { query } = pg.Client.prototype as unknown as { query: Query }
/** What a node runs anyway, at most once a second, and a background job's own looks. */
const looks =
  /^(journal_head|journal_trim|search_progress|push_progress|push_beat|files_due|webhook_hold)$|^set |graphile_worker|^update session/i
let statements: string[] = []

beforeAll(() => {
  const counted: Query = function (this, ...given) {
    const [first] = given as [string | { name?: string; text?: string } | undefined]
    const { application_name: purpose } = (this as unknown as Settings).connectionParameters
    const what = typeof first === 'string' ? first : first?.name || first?.text
    if (purpose?.startsWith('parley') && what && !looks.test(what.trim())) statements.push(what)
    return query.apply(this, given)
  }
  Object.assign(pg.Client.prototype, { query: counted })
})
afterAll(() => {
  Object.assign(pg.Client.prototype, { query })
})

/** Opens a group on a node; returns how to send alone: one message, and nothing else until both readers are at the head. */
async function lonely(node: Node): Promise<() => Promise<void>> {
  const [alice, bob] = (await signUpAll(node, 'Alice', 'Bob')) as [Device, Device]
  const conversationId = await alice.group('Lone', bob)
  const client = await connect(node.databaseUrl)
  const areAtHead = async () => {
    const { rows } = await client.query<{ isAtHead: boolean }>(
      `select s.position = head and p.position = head as "isAtHead"
         from message_search_progress s, push_progress p, (select max(position) as head from fact) f`,
    )
    return rows[0]?.isAtHead ?? false
  }
  const send = async () => {
    await alice.run(LoneSend, { input: { conversationId, text: 'alone', clientMessageId: crypto.randomUUID() } })
    await until('both readers to be at the head', areAtHead)
  }
  for (let i = 0; i < 3; i += 1) await send() // prepared and cached; the first turns read from Postgres
  return send
}

test('a lone send costs four statements: the send, two for notifications, one for the search index', async () => {
  const send = await lonely(await openNode(vapid))
  statements = []
  await send()
  expect(statements.toSorted()).toEqual(['journal_send_batch_2', 'push_move_from', 'push_notifiable', 'search_follow'])
})

test('a second node hardly adds statements to a send: its readers stand by once they have lost a turn', async () => {
  // With digests the second node has no facts to take a turn from: its turns read Postgres (docs/adr/0027).
  const [node] = await openPair({ ...vapid, PARLEY_FOLLOW: 'full' })
  const send = await lonely(node)
  statements = []
  for (let i = 0; i < 5; i += 1) await send()
  // Five sends cost 20. A reader of the second node that loses a turn adds three, and on a busy machine one may lose two before it
  // stands by. If both went on, there would be 35.
  expect(statements.length).toBeLessThanOrEqual(29)
})
