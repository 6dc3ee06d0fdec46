// Work for very many subscribers, or for one with very much to catch up, is done in slices and turns, so that others do not
// wait for it.

import { subscribe as hear, unsubscribe } from 'node:diagnostics_channel'
import { expect, test } from 'vitest'
import { FairScheduler } from '../../src/graphql/fair-scheduler.ts'
import { PayloadCache } from '../../src/graphql/payload-cache.ts'
import { type Position, parseId, positionOf, type UserId, userIdOf } from '../../src/id.ts'
import { parseCursor } from '../../src/journal/cursor.ts'
import { RoundRobin, type TurnOwner, type TurnTaker } from '../../src/journal/round-robin.ts'
import { steps } from '../../src/journal/steps.ts'
import { appendSend, input } from '../journal/setup.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { openNode } from '../support/node.ts'
import { until } from '../support/until.ts'

test('D8 a small conversation is served before an earlier message to very many has reached all of them', async () => {
  const node = await openNode({ PARLEY_APPEND_LANES: '1' })
  const [ann, ben, cyd] = (await signUpAll(node, 'Ann', 'Ben', 'Cyd')) as [Device, Device, Device]
  const [large, small] = [await ann.group('Large', ben), await ann.group('Small', cyd)]
  const numberOf = ({ userId }: Device) => parseId('User', userId, '')
  const [sender, many, few] = [numberOf(ann), numberOf(ben), numberOf(cyd)]
  const shown: number[] = []
  const listen = (message: unknown) => shown.push((message as { position: number }).position)
  let live = 0
  const open = async (userId: UserId) => {
    const request = { userId, after: null, conversationId: null, onAbandoned: () => undefined }
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
    appendSend(node, input(parseId('Conversation', conversationId, ''), sender, text))
  // In one batch, in this order.
  await Promise.all([send(large, 'to very many'), send(small, 'to one')])
  await until('everybody to be told', () => shown.length === 2_001)
  unsubscribe(steps.streamShowing.name, listen)

  const second = Math.max(...shown)
  expect(shown.indexOf(second)).toBeLessThan(200)
  expect(shown.filter((position) => position === second - 1)).toHaveLength(2_000)
})

test('D8 a device that is far behind catches up in turns with others', async () => {
  const node = await openNode()
  const [ann, ben] = (await signUpAll(node, 'Ann', 'Ben')) as [Device, Device]
  const id = await ann.direct(ben)
  const { cursor } = await ann.send(id, 'first')
  const [conversationId, sender] = [parseId('Conversation', id, ''), parseId('User', ann.userId, '')]
  await Promise.all(Array.from({ length: 300 }, (_, i) => appendSend(node, input(conversationId, sender, `${i}`))))
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

/** Keeps the processor busy. */
function busy(forMs: number): void {
  for (const until = performance.now() + forMs; performance.now() < until; );
}

const owner = (): TurnOwner => ({ waiting: [], isWaiting: false })
const taker = (turn: () => void): TurnTaker => ({ isWaiting: false, turn })

test('D7 users take turns with streams that are behind, four at a time, however many each of them has', async () => {
  const roundRobin = new RoundRobin()
  const [many, few] = [owner(), owner()]
  const order: string[] = []
  for (let i = 0; i < 500; i += 1)
    roundRobin.add(
      many,
      taker(() => order.push('many')),
    )
  roundRobin.add(
    few,
    taker(() => order.push('few')),
  )
  await until('all turns', () => order.length === 501)
  expect(order.indexOf('few')).toBe(4)
})

test('D7 a stream that asks for another turn during its own waits for the next round', async () => {
  const roundRobin = new RoundRobin()
  const [greedy, modest] = [owner(), owner()]
  const order: string[] = []
  const again: TurnTaker = taker(() => {
    order.push('greedy')
    if (order.length < 6) roundRobin.add(greedy, again)
  })
  roundRobin.add(greedy, again)
  roundRobin.add(
    modest,
    taker(() => order.push('modest')),
  )
  await until('all turns', () => order.length === 6)
  expect(order.indexOf('modest')).toBe(1)
})

test('D7 executions for a heavy user wait for those of others, and end in order', async () => {
  const scheduler = new FairScheduler()
  const turn = (userId: number) => ({ userId: userIdOf(userId), cost: 1, share: 1, isOver: () => false })
  const order: string[] = []
  const heavy = Array.from({ length: 20 }, async (_, i) =>
    scheduler.run(turn(1), () => {
      busy(3)
      order.push(`heavy ${i}`)
    }),
  )
  await new Promise(setImmediate)
  const light = Array.from({ length: 5 }, async (_, i) => scheduler.run(turn(2), () => void order.push(`light ${i}`)))
  await Promise.all([...heavy, ...light])
  expect(order.filter((name) => name.startsWith('heavy'))).toEqual(heavy.map((_, i) => `heavy ${i}`))
  expect(order.indexOf('light 4')).toBeLessThan(10)
})

test('D7 one user has at most four executions waiting for Postgres, and nothing is executed that nobody waits for', async () => {
  const scheduler = new FairScheduler()
  let isOver = false
  let [begun, most, underWay] = [0, 0, 0]
  let release: () => void = () => undefined
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const results = Array.from({ length: 30 }, async () =>
    scheduler.run({ userId: userIdOf(1), cost: 1, share: 1, isOver: () => isOver }, async () => {
      begun += 1
      underWay += 1
      most = Math.max(most, underWay)
      await gate
      underWay -= 1
      return 'done'
    }),
  )
  const other = await scheduler.run({ userId: userIdOf(2), cost: 1, share: 1, isOver: () => false }, () => 'another user')
  expect(other).toBe('another user')
  expect(begun).toBe(4)
  isOver = true
  release()
  expect((await Promise.all(results)).filter((result) => result === null)).toHaveLength(26)
  expect([begun, most]).toEqual([4, 4])
})

test('C1 the payload cache is bounded, also for a single event', async () => {
  const { app } = await openNode()
  const cache = new PayloadCache(Date.now)
  const item = { type: 'tick', place: app.journal.head() } as const
  const sizes = Array.from({ length: 100 }, (_, number) => {
    cache.store(cache.entryOf(item), number, Buffer.alloc(1_048_576))
    return cache.bytes
  })
  expect(Math.max(...sizes)).toBeGreaterThan(16 * 1_048_576)
  expect(Math.max(...sizes)).toBeLessThanOrEqual(32 * 1_048_576)
})

test('C1 the payload cache is bounded also if no event can be shared', async () => {
  const { app } = await openNode()
  const cache = new PayloadCache(Date.now)
  for (let i = 0; i < 100_000; i += 1) cache.entryOf({ type: 'tick', place: app.journal.head() })
  expect(cache.bytes).toBeLessThanOrEqual(32 * 1_048_576)
})

test('A2 C1 the payload of a fact is no payload of another history at the same position, or of another version', async () => {
  const cache = new PayloadCache(Date.now)
  const position = positionOf(5)
  const itemOf = (tag: number, version: Position) => {
    const fact = { position, tag, occurredAt: 0, kind: 1, conversationId: null, userId: null, actorId: null, subjectId: null }
    return { type: 'fact', fact: { ...fact, audienceChange: 0, payload: null }, place: fact, row: undefined, version } as const
  }
  cache.store(cache.entryOf(itemOf(7, position)), 1, Buffer.from('of history 7'))
  expect(cache.entryOf(itemOf(7, position)).payloads.size).toBe(1)
  expect(cache.entryOf(itemOf(8, position)).payloads.size).toBe(0)
  cache.store(cache.entryOf(itemOf(8, position)), 1, Buffer.from('of history 8'))
  expect(cache.entryOf(itemOf(8, positionOf(6))).payloads.size).toBe(0)
})

test('C1 beyond its bound the payload cache drops the oldest events, not all', async () => {
  const { app } = await openNode()
  const cache = new PayloadCache(Date.now)
  const ticks = Array.from({ length: 100 }, () => ({ type: 'tick', place: app.journal.head() }) as const)
  for (const tick of ticks) cache.store(cache.entryOf(tick), 0, Buffer.alloc(1_048_576))
  const cached = ticks.map((tick) => cache.entryOf(tick).payloads.has(0))
  expect(cached.indexOf(true)).toBe(69)
  expect(cached.slice(69)).not.toContain(false)
})
