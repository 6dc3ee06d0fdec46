// The whole story over the network, with the real graphql-ws client: sign up, start, send, receive, lose the connection,
// resume with a cursor; nothing missed, nothing twice.

import { expect, test } from 'vitest'
import { signUpAll } from './support/device.ts'
import { openNode } from './support/node.ts'

test('D3 two people talk, one is away for a while, and nothing is missed or doubled', async () => {
  const node = await openNode()
  const [alice, bob] = await signUpAll(node, 'Alice', 'Bob')
  if (!alice || !bob) throw new Error('nobody came')
  const before = await bob.events().live()
  expect(before.seen[0]).toMatchObject({ __typename: 'SyncStarted', mode: 'FRESH', reason: null })

  const conversationId = await alice.direct(bob)
  const added = await before.first('ConversationAdded')
  expect(added.conversation).toMatchObject({ id: conversationId, kind: 'DIRECT' })
  const { message } = await alice.send(conversationId, 'hello')
  await before.text('hello')
  expect(message).toMatchObject({ seq: 1, text: 'hello', sender: { username: 'alice' } })
  const { cursor } = before
  before.cut()

  for (let i = 1; i <= 30; i += 1) await alice.send(conversationId, `while you were away ${i}`)
  const after = await bob.events({ after: cursor }).live()
  expect(after.seen[0]).toMatchObject({ __typename: 'SyncStarted', mode: 'RESUMED' })
  expect(after.texts).toEqual(Array.from({ length: 30 }, (_, i) => `while you were away ${i + 1}`))
  await alice.send(conversationId, 'live again')
  await after.text('live again')
  expect(after.texts).toHaveLength(31)
  expect(await after.first('CaughtUp')).toMatchObject({ count: 30 })
})
