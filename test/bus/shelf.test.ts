// One contract suite for all kinds of shelf, board and counters (src/bus).

import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { describe, expect, inject, test } from 'vitest'
import type { Bus } from '../../src/bus/bus.ts'
import { type Counters, openMemoryCounters, openRedisCounters } from '../../src/bus/counters.ts'
import { redisWords } from '../../src/bus/redis-faults.ts'
import { Outage } from '../../src/log/outage.ts'
import { busOn, type Carrier, carriers, memoryBus, redisBus, silent } from '../support/bus.ts'
import { closeAtEnd } from '../support/node.ts'
import { until } from '../support/until.ts'

/** The same carrier as two nodes see it. */
async function open(carrier: Carrier[1]): Promise<{ here: Bus; there: Bus }> {
  const settings = await carrier()
  const bus = memoryBus()
  const ends = settings === null ? { here: bus, there: bus } : { here: busOn(settings), there: busOn(settings) }
  closeAtEnd(() => Promise.all([ends.here.close(), ends.there.close()]))
  for (const each of [ends.here, ends.there]) await until('an answer', () => answers(each))
  return ends
}

const answers = (bus: Bus) =>
  bus.shelf.take(['parley:test']).then(
    () => true,
    () => false,
  )

describe.each(carriers)('in %s', (_name, carrier) => {
  test('the shelf gives other nodes what was laid down, each by its key, and null for the rest', async () => {
    const { here, there } = await open(carrier)
    const keys = Array.from({ length: 100 }, (_, i) => `parley:test:${here.slots.of(i)}${randomUUID()}`)
    here.shelf.put(keys.map((key, i) => ({ key, text: `text ${i} 안녕` })))
    await until('all of them', async () => (await there.shelf.take(keys)).every((text) => text !== null))
    const missing = 'parley:test:{3}:missing'
    const taken = await there.shelf.take([missing, ...keys, keys[7] ?? ''])
    expect(taken).toEqual([null, ...keys.map((_key, i) => `text ${i} 안녕`), 'text 7 안녕'])
    expect(await there.shelf.take([])).toEqual([])
  })

  test('the board holds the newest notice of each node until it lapses', async () => {
    const { here, there } = await open(carrier)
    const board = `parley:test:${randomUUID()}`
    expect(await there.board.read(board)).toEqual([])
    await here.board.post(board, 'one', 'first')
    await here.board.post(board, 'one', 'second')
    await there.board.post(board, 'two', '{"text": "x y"}')
    const read = (await there.board.read(board)).toSorted((a, b) => a.node.localeCompare(b.node))
    expect(read.map(({ node, text }) => [node, text])).toEqual([
      ['one', 'second'],
      ['two', '{"text": "x y"}'],
    ])
    for (const { leftMs } of read) expect(leftMs).toSatisfy((ms: number) => ms > 1_000 && ms <= 4_000)
    await until('one of them to lapse', async () => {
      await there.board.post(board, 'two', 'again')
      return (await here.board.read(board)).length === 1
    })
    expect((await here.board.read(board)).map(({ node }) => node)).toEqual(['two'])
  })

  test('the counters count over all nodes, and forget', async () => {
    const settings = await carrier()
    const name = `test:${randomUUID()}`
    const outage = new Outage(silent, redisWords)
    closeAtEnd(async () => outage.close())
    const create = (): Counters => (settings === null ? openMemoryCounters() : openRedisCounters(settings, () => name, outage))
    const here = create()
    const there = settings === null ? here : create()
    closeAtEnd(() => Promise.all([here.close(), there.close()]))
    const limit = { name: 'tries', most: 2, periodS: 60 }
    // While a connection is being opened, each node counts by itself.
    const shared = async () => {
      const key = randomUUID()
      await here.count(limit, key, 2)
      return (await there.count(limit, key)) > 0
    }
    await until('both to count together', shared)
    expect([await here.count(limit, 'a'), await there.count(limit, 'a')]).toEqual([0, 0])
    expect(await here.count(limit, 'a')).toBeGreaterThan(50_000)
    await there.forget(limit, 'a')
    expect(await here.count(limit, 'a')).toBe(0)
  })
})

test('shelf and board take nothing that no node of this installation signed, and nothing that was signed for another place', async () => {
  const [here, redis] = [redisBus(), new Redis(inject('redisUrl'))]
  closeAtEnd(async () => {
    redis.disconnect()
    await here.close()
  })
  await until('an answer', () => answers(here))
  const [key, other, board] = ['parley:test:', 'parley:test:', 'parley:test:'].map((name) => name + randomUUID()) as [
    string,
    string,
    string,
  ]
  here.shelf.put([{ key, text: 'true' }])
  await until('it to be there', async () => (await redis.exists(key)) === 1)
  const sealed = (await redis.get(key)) ?? ''
  expect(await redis.ttl(key)).toBeGreaterThan(50)
  await redis.set(other, sealed)
  expect(await here.shelf.take([key, other])).toEqual(['true', null])
  await redis.set(key, sealed.replace('true', 'tru3'))
  expect(await here.shelf.take([key])).toEqual([null])
  await here.board.post(board, 'one', 'text')
  const notice = (await redis.hget(board, 'one')) ?? ''
  await redis.hset(board, 'two', notice, 'three', 'x', 'four', '')
  expect((await here.board.read(board)).map(({ node }) => node)).toEqual(['one'])
})
