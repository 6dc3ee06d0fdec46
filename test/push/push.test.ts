// Notifications over the network: a real node, and a push service on loopback that decrypts and verifies.

import { expect, test } from 'vitest'
import { MarkRead } from '../law/documents.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { openNode } from '../support/node.ts'
import { PushService } from './push-service.ts'
import { decided, pushing } from './support.ts'

async function openWorld() {
  const node = await openNode(pushing)
  const [alice, bob, carol] = (await signUpAll(node, 'Alice', 'Bob', 'Carol')) as [Device, Device, Device]
  return { node, alice, bob, carol, service: await PushService.open() }
}

test('N1 a message is pushed to the devices of those who hear it, encrypted and signed, and not to its sender', async () => {
  const { alice, bob, service } = await openWorld()
  const [hers, his] = [await service.subscribe(alice), await service.subscribe(bob)]
  const conversationId = await alice.direct(bob)
  const { message } = await alice.send(conversationId, 'Hello Bob!')
  const [push] = await his.came(1)
  expect(push?.payload).toEqual({
    kind: 'message',
    id: expect.stringMatching(/^ntf_\d+$/),
    title: 'Alice',
    body: 'Hello Bob!',
    conversationId,
    messageId: message.id,
    badge: 1,
  })
  expect(push?.claims).toMatchObject({ aud: service.origin, sub: 'mailto:tests@parley.example' })
  expect(push?.headers).toMatchObject({
    urgency: 'high',
    topic: expect.stringMatching(/^[\w-]{32}$/),
    'content-encoding': 'aes128gcm',
  })
  expect(Number(push?.headers.ttl)).toBeGreaterThan(86_000)
  await bob.send(conversationId, 'Hello Alice!')
  await hers.came(1)
  expect(hers.shown).toEqual(['Bob|Hello Alice!'])
  expect(his.shown).toEqual(['Alice|Hello Bob!'])
  const [decision] = await decided(bob, 'SENT')
  expect(decision).toMatchObject({ message: { id: message.id }, session: { id: bob.sessionId }, reason: null })
  await bob.run(MarkRead, { input: { conversationId, seq: 1 } })
  await his.came(2)
  expect(his.shown).toEqual(['Alice|Hello Bob!', 'clear'])
  expect(service.faults).toEqual([])
})
