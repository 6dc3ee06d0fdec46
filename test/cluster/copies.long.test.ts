// One message sent many times at once, as by an impatient client, a proxy that repeats, and a retry on another node.

import { randomUUID } from 'node:crypto'
import { expect, inject, test } from 'vitest'
import { type Device, signUpAll } from '../support/device.ts'
import { connect, createDatabase, openNode } from '../support/node.ts'

test('D1 D2 D3 50 copies of one send on 3 nodes are one row, one id, and one event on each device', async () => {
  const shared = { DATABASE_URL: await createDatabase(), REDIS_URL: inject('redisUrl') }
  const nodes = [await openNode(shared), await openNode(shared), await openNode(shared)]
  const [first] = nodes
  if (!first) throw new Error('there are three')
  const [alice, bob] = (await signUpAll(first, 'Alice', 'Bob')) as [Device, Device]
  const id = await alice.direct(bob)
  const senders = await Promise.all(nodes.map((node) => alice.another(node)))
  const logs = await Promise.all(
    [...senders, ...(await Promise.all(nodes.map((node) => bob.another(node))))].map((d) => d.events().live()),
  )

  const clientMessageId = randomUUID()
  const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => senders[i % 3]?.send(id, 'once', clientMessageId)))
  await bob.send(id, 'last')
  for (const log of logs) await log.text('last')

  expect(answers).toHaveLength(50)
  const [answer] = answers
  expect(new Set(answers.map((a) => a?.message.id))).toEqual(new Set([answer?.message.id]))
  expect(new Set(answers.map((a) => a?.message.seq))).toEqual(new Set([1]))
  for (const log of logs) {
    expect(log.texts).toEqual(['once', 'last'])
    expect(log.errors).toEqual([])
  }
  const sql = await connect(first.databaseUrl)
  const { rows } = await sql.query('select count(*)::int as n from message where client_message_id = $1', [clientMessageId])
  expect(rows).toEqual([{ n: 1 }])
  const facts = await sql.query('select count(*)::int as n from fact f join message m on m.id = f.subject_id where f.kind = 1')
  expect(facts.rows).toEqual([{ n: 2 }])
})
