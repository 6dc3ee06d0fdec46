// A fact for very many is told in slices, so that others need not wait for it.

import { subscribe as hear, unsubscribe } from 'node:diagnostics_channel'
import { expect, test } from 'vitest'
import { parseId } from '../../src/id.ts'
import { parseCursor } from '../../src/journal/cursor.ts'
import { steps } from '../../src/journal/steps.ts'
import { input } from '../journal/ground.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { openNode } from '../support/node.ts'
import { until } from '../support/until.ts'

test('D8 a small conversation is told of what comes after a message to very many before that has gone to all', async () => {
  const node = await openNode({ PARLEY_APPEND_LANES: '1' })
  const [ann, ben, cyd] = (await signUpAll(node, 'Ann', 'Ben', 'Cyd')) as [Device, Device, Device]
  const [large, small] = [await ann.group('Large', ben), await ann.group('Small', cyd)]
  const [sender, many, few] = [ann, ben, cyd].map(({ userId }) => parseId('User', userId, ''))
  const shown: number[] = []
  const listen = (message: unknown) => shown.push((message as { position: number }).position)
  let live = 0
  const open = async (userId: number | undefined) => {
    const request = { userId: Number(userId), after: null, conversationId: null, onAbandoned: () => undefined }
    const stream = await node.app.journal.openStream(request)
    stream?.start({
      take({ type }) {
        if (type === 'caughtUp') live += 1
        return true
      },
      ended: () => undefined,
    })
  }
  for (let i = 0; i < 2_000; i += 1) await open(many)
  await open(few)
  expect(live).toBe(2_001)

  hear(steps.streamShowing.name, listen)
  const send = (conversationId: string, text: string) =>
    node.app.journal.send(input(parseId('Conversation', conversationId, ''), Number(sender), text))
  // In one batch, in this order.
  await Promise.all([send(large, 'to very many'), send(small, 'to one')])
  await until('everybody to be told', () => shown.length === 2_001)
  unsubscribe(steps.streamShowing.name, listen)

  const second = Math.max(...shown)
  expect(shown.indexOf(second)).toBeLessThan(200)
  expect(shown.filter((position) => position === second - 1)).toHaveLength(2_000)
})

test('D8 a device that is far behind is brought what it missed in turns with the others', async () => {
  const node = await openNode()
  const [ann, ben] = (await signUpAll(node, 'Ann', 'Ben')) as [Device, Device]
  const id = await ann.direct(ben)
  const { cursor } = await ann.send(id, 'first')
  const [conversationId, sender] = [parseId('Conversation', id, ''), parseId('User', ann.userId, '')]
  await Promise.all(Array.from({ length: 300 }, (_, i) => node.app.journal.send(input(conversationId, sender, `${i}`))))
  const after = parseCursor(cursor, 'after')
  const request = { userId: parseId('User', ben.userId, ''), after, conversationId: null, onAbandoned: () => undefined }
  const stream = await node.app.journal.openStream(request)
  let given = 0
  stream?.start({
    take() {
      given += 1
      return true
    },
    ended: () => undefined,
  })
  expect(given).toBeGreaterThan(0)
  expect(given).toBeLessThan(100) // in this turn
  await until('the rest', () => given === 302) // with SyncStarted and CaughtUp
})
