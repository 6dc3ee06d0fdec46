// The order in which a node takes note of what the follower sees: those who keep something first, those who are sent it last.

import { expect, test } from 'vitest'
import { parseId } from '../../src/id.ts'
import type { StreamItem } from '../../src/journal/item.ts'
import { openTalk, positionOf, quiet } from './pair.ts'
import { eventually } from './setup.ts'

test('A5 a fact is observed before any stream is given it, also where an observer fails, and delivered from then on', async () => {
  const { node, bob, say } = await openTalk({ ...quiet })
  const { journal } = node.app
  const order: string[] = []
  const [before] = await say('before')
  journal.onFact(() => {
    throw new Error('an observer that fails')
  })
  journal.onFact((fact) => order.push(`observed ${fact.position}, delivered ${journal.deliveredPosition()}`))
  const stream = await journal.openStream({
    userId: parseId('User', bob.userId, ''),
    after: null,
    conversationId: null,
    onAbandoned: () => undefined,
  })
  const take = (item: StreamItem) => {
    if (item.type === 'fact') order.push(`given ${item.fact.position}, delivered ${journal.deliveredPosition()}`)
    return true
  }
  stream?.start({ take, ended: () => undefined })
  const [cursor] = await say('after')
  const position = positionOf(cursor)
  await eventually('the fact to be given', () => order.length === 2)
  expect(order).toEqual([`observed ${position}, delivered ${positionOf(before)}`, `given ${position}, delivered ${position}`])
  stream?.close()
})

test('A2 after a new epoch streams end before observers of the restart are called', async () => {
  const { node, bob, client } = await openTalk({ ...quiet })
  const { journal } = node.app
  const order: string[] = []
  journal.onRestart(({ type }) => order.push(`${type}, ${journal.streamCount()} streams`))
  await journal.openStream({
    userId: parseId('User', bob.userId, ''),
    after: null,
    conversationId: null,
    onAbandoned: () => order.push('abandoned'),
  })
  await client.query('update journal set epoch = gen_random_uuid()')
  await eventually('the restart', () => order.length === 2)
  expect(order).toEqual(['abandoned', 'MOVED, 0 streams'])
  expect(journal.deliveredPosition()).toBe(journal.head().position)
})
