// What depends on the viewer: a snapshot belongs to one viewer and one moment, and two viewers with the same document do not
// get each other's answer.

import { print } from 'graphql'
import { beforeAll, expect, test, vi } from 'vitest'
import { type Device, signUpAll } from '../support/device.ts'
import type { KeptSubscription, WholeQuery } from '../support/generated/graphql.ts'
import { type Node, openNode } from '../support/node.ts'
import { AddReaction, Kept, Whole } from './documents.ts'

let node: Node
let alice: Device
let bob: Device
let group: string

beforeAll(async () => {
  node = await openNode()
  ;[alice, bob] = (await signUpAll(node, 'Alice', 'Bob')) as [Device, Device]
  group = await alice.group('Together', bob)
})

test('A13 two viewers who follow with the same document each get their own values', async () => {
  const { message } = await alice.send(group, 'look')
  const { syncCursor } = await alice.run(Whole, { people: [] })
  const told = (device: Device) =>
    new Promise<KeptSubscription['events']>((resolve, reject) => {
      device.socket().subscribe<KeptSubscription>(
        { query: print(Kept), variables: { after: syncCursor } },
        {
          next: ({ data }) => data?.events.__typename === 'ReactionsChanged' && resolve(data.events),
          error: reject,
          complete: () => reject(new Error('completed')),
        },
      )
    })
  const both = [told(alice), told(bob)]
  await alice.run(AddReaction, { input: { messageId: message.id, emoji: '👍' } })
  const [hers, his] = await Promise.all(both)
  const mine = { emoji: '👍', count: 1 }
  expect(hers).toMatchObject({ message: { reactions: [{ ...mine, viewerReacted: true }] } })
  expect(his).toMatchObject({ message: { reactions: [{ ...mine, viewerReacted: false }] } })
})

test('A11 an operation that selects syncCursor, however hidden, reads everything in one read-only transaction, its place first', async () => {
  const { syncCursor } = await alice.run(Whole, { people: [] })
  expect(syncCursor).not.toBe('')
  const query =
    'query { conversations(first: 3) { nodes { id messages(last: 3) { nodes { id } } } } ...Deep } fragment Deep on Query { here: syncCursor }'
  const plain = vi.spyOn(node.app.store.reader, 'rows')
  const snapshots = vi.spyOn(node.app.store, 'snapshot')
  const body = JSON.stringify({ query })
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${alice.accessToken}` }
  const statements: string[] = []
  snapshots.mockImplementationOnce(async (read) => {
    snapshots.mockRestore()
    return node.app.store.snapshot((reader) =>
      read({
        rows: async (statement, values) => {
          if (statements.length === 0) {
            const how = `select current_setting('transaction_isolation') as isolation, current_setting('transaction_read_only') as "readOnly"`
            expect(await reader.rows({ name: 'how', text: how } as never, [])).toEqual([
              { isolation: 'repeatable read', readOnly: 'on' },
            ])
          }
          statements.push(statement.name)
          return reader.rows(statement, values)
        },
      }),
    )
  })
  plain.mockClear()
  const answer = (await (await fetch(node.url, { method: 'POST', headers, body })).json()) as {
    data: { here: WholeQuery['syncCursor'] }
  }
  expect(answer.data.here).toEqual(expect.any(String))
  expect(statements[0]).toBe('journal_head')
  expect(statements.length).toBeGreaterThan(2)
  // The node itself reads for its streams and its index meanwhile; nothing of this operation is read that way.
  const own = statements.filter((name) => name.startsWith('conversations_'))
  expect(own).not.toEqual([])
  const elsewhere = plain.mock.calls.map(([{ name }]) => name).filter((name) => own.includes(name))
  plain.mockRestore()
  expect(elsewhere).toEqual([])
})
