// The cost of a change of presence: one message over Redis, however many users see it, to the nodes with a watcher and no
// others.

import { Redis } from 'ioredis'
import { expect, inject, onTestFinished, test, vi } from 'vitest'
import { parseId } from '../../src/id.ts'
import { follow } from '../conversation/follow.ts'
import { signUp } from '../support/device.ts'
import { closeAtEnd, createDatabase, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'
import { befriend } from './befriend.ts'
import { PresenceInEvents } from './documents.ts'
import { connectDevice, watchPresence } from './watch.ts'

const contacts = 500

test('P1 500 contacts on 3 nodes see a change by one message to three nodes; a fourth node receives nothing', {
  timeout: 60_000,
}, async () => {
  const databaseUrl = await createDatabase()
  const shared = { DATABASE_URL: databaseUrl, REDIS_URL: inject('redisUrl') }
  const nodes = [await openNode(shared), await openNode(shared), await openNode(shared)]
  const other = await openNode(shared)
  const star = await signUp(other, 'Star')
  const fans = await befriend(star, nodes, contacts)
  const watches = fans.map((fan) => watchPresence(fan, star))
  await until('all to know', () => watches.every((watch) => watch.states(star).length > 0), 30_000)

  const topic = other.app.journal.topic(`presence:${parseId('User', star.userId, '')}`)
  const redis = new Redis(inject('redisUrl'))
  closeAtEnd(async () => redis.disconnect())
  expect(await redis.pubsub('NUMSUB', topic)).toEqual([topic, nodes.length])
  const published: string[] = []
  const subscriber = redis.duplicate()
  closeAtEnd(async () => subscriber.disconnect())
  subscriber.on('message', (_topic, message) => published.push(message))
  await subscriber.subscribe(topic)
  await connectDevice(star)
  await until('all to see it', () => watches.every((watch) => watch.states(star).at(-1) === 'ONLINE'), 30_000)
  expect(published).toHaveLength(1)
  expect(watches.map((watch) => watch.states(star).join()).filter((states) => states !== 'OFFLINE,ONLINE')).toEqual([])
  expect(watches.flatMap(({ errors }) => errors)).toEqual([])
})

test('B1 an event that shows presence waits until the rows it was read from are on disk', async () => {
  const shared = { DATABASE_URL: await createDatabase(), REDIS_URL: inject('redisUrl') }
  const [here, there] = [await openNode(shared), await openNode(shared)]
  const [ann, ben] = [await signUp(here, 'Ann'), await signUp(here, 'Ben')]
  const conversation = await ann.direct(ben)
  const told = await follow(await ben.another(there), PresenceInEvents, {})
  const texts = () => told.all('MessageSent').map(({ message }) => message.text)
  await ann.send(conversation, 'first')
  await told.until('the first', () => texts().length === 1)
  // The node has cached the rest of the event by now: only presence is read for the next one.
  const { store } = there.app
  const { flush } = store
  let reach: () => void = () => undefined
  const disk = new Promise<void>((resolve) => {
    reach = resolve
  })
  const asked = vi.spyOn(store, 'flush').mockImplementation(() => disk.then(() => flush()))
  onTestFinished(() => {
    asked.mockRestore()
    reach()
  })
  await ann.send(conversation, 'second')
  await until('the disk to be waited for', () => asked.mock.calls.length > 0)
  expect(texts()).toEqual(['first'])
  reach()
  await told.until('the second', () => texts().length === 2)
  expect(told.all('MessageSent').map(({ message }) => message.sender?.presence)).toEqual([
    expect.objectContaining({ state: 'OFFLINE' }),
    expect.objectContaining({ state: 'OFFLINE' }),
  ])
})
