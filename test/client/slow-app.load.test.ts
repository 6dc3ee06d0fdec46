// An app that takes its time with events.

import { expect, test } from 'vitest'
import { openNode } from '../support/node.ts'
import { pair, sessionOf, TestApp } from './app.ts'

test('D7 delivers everything once to a slow app, and holds a bounded number of events', async () => {
  const { alice, bob, id } = await pair(await openNode())
  let open: () => void = () => undefined
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  const app = await new TestApp({ url: bob.node.url, session: sessionOf(bob) }).follow().live()
  app.following?.stop()
  const slow = new TestApp({ url: bob.node.url, session: sessionOf(bob) })
  slow.cursor = app.cursor
  slow.follow(() => gate)
  for (let i = 0; i < 2_200; i += 100) await Promise.all(Array.from({ length: 100 }, (_, k) => alice.send(id, `${i + k}`)))
  await slow.until('the stream to be left', () => slow.client.state.status === 'OFF')
  open()
  await slow.until('all of it', () => slow.texts.length >= 2_200)
  await slow.live()
  expect(new Set(slow.texts).size).toBe(2_200)
  expect(slow.texts).toHaveLength(2_200)
})
