// One contract suite for all kinds of leases (src/bus/leases.ts).

import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { describe, expect, inject, test } from 'vitest'
import type { Bus } from '../../src/bus/bus.ts'
import { changeForm, type Lease, type Leases, leasesMax, type StateChange } from '../../src/bus/leases.ts'
import { openMemoryLeases } from '../../src/bus/memory-leases.ts'
import { redisWords } from '../../src/bus/redis-faults.ts'
import { openRedisLeases } from '../../src/bus/redis-leases.ts'
import { systemClock } from '../../src/clock.ts'
import type { RedisSettings } from '../../src/config/redis-settings.ts'
import { sessionIdOf, type UserId, userIdOf } from '../../src/id.ts'
import { Outage } from '../../src/log/outage.ts'
import { busOn, type Carrier, carriers, silent as log, memoryBus, redisAt } from '../support/bus.ts'
import { closeAtEnd } from '../support/node.ts'
import { until } from '../support/until.ts'

const [user, phone, laptop] = [userIdOf(7), sessionIdOf(70), sessionIdOf(71)]

type Ground = { readonly leases: Leases; readonly bus: Bus; topicOf(userId: UserId): string }

function groundOn(settings: RedisSettings | null): Ground {
  if (settings === null) {
    const bus = memoryBus()
    const topicOf = (userId: UserId) => `presence:${userId}`
    return { bus, topicOf, leases: openMemoryLeases(bus, systemClock, topicOf) }
  }
  const prefix = `test:${randomUUID()}`
  const leases = openRedisLeases(settings, () => prefix, systemClock, new Outage(log, redisWords))
  const bus = busOn(settings)
  return { bus, leases, topicOf: (userId) => `${prefix}:${bus.slots.of(userId)}${userId}` }
}

async function open(carrier: Carrier[1]) {
  const ground = groundOn(await carrier())
  closeAtEnd(async () => {
    await ground.leases.close()
    await ground.bus.close()
    expect(ground.bus.malformed()).toBe(0)
  })
  const told: StateChange[] = []
  await ground.bus.subscribe(ground.topicOf(user), changeForm, (change) => told.push(change))
  const isReady = () =>
    ground.leases.read([user]).then(
      () => true,
      () => false,
    )
  await until('the leases to answer', isReady)
  const states = () => told.map((change) => `${change.state}${change.isFinal ? ' for good' : ''}`)
  return { ...ground, told, states }
}

/** A past time by the clock of a node, never in whole milliseconds. */
function measured(ms: number): number {
  const since = performance.now() - ms
  const passed = performance.now() - since
  return Number.isInteger(passed) ? passed + 0.25 : passed
}

const lease = ({ activeAgoMs = 0, lastsMs = 60_000, ...more }: Partial<Lease> = {}): Lease => ({
  userId: user,
  deviceId: phone,
  state: 'ONLINE',
  activeAgoMs: activeAgoMs === null ? null : measured(activeAgoMs),
  lastsMs: measured(lastsMs),
  mayBegin: true,
  ...more,
})
const present = async (leases: Leases) => (await leases.read([user])).get(user)?.map(({ deviceId, state }) => [deviceId, state])

describe.each(carriers)('leases in %s', (_name, carrier) => {
  test('P1 a user has the best state of their devices, and each change is published once', async () => {
    const { leases, states } = await open(carrier)
    await leases.renew([lease({ state: 'IDLE' })])
    await leases.renew([lease({ deviceId: laptop })])
    await leases.renew([lease({ deviceId: laptop }), lease()])
    expect((await present(leases))?.sort()).toEqual([
      [phone, 'ONLINE'],
      [laptop, 'ONLINE'],
    ])
    await leases.renew([lease({ state: 'IDLE' })])
    await leases.renew([lease({ deviceId: laptop, state: 'IDLE' })])
    await until('three changes', () => states().length === 3)
    expect(states()).toEqual(['IDLE', 'ONLINE', 'IDLE'])
  })

  test('P1 a lease that is not renewed lapses, is published, and is handed over once with the time of the last activity', async () => {
    const { leases, states, told } = await open(carrier)
    const before = Date.now()
    await leases.renew([lease({ lastsMs: 50, activeAgoMs: 5_000 })])
    await until('it to be gone', async () => (await present(leases)) === undefined)
    const handed = (await Promise.all([leases.lapse(), leases.lapse(), leases.lapse()])).flat()
    expect(handed).toEqual([{ userId: user, deviceId: phone, activeAt: expect.any(Number) }])
    expect(Math.abs((handed[0]?.activeAt ?? 0) - (before - 5_000))).toBeLessThan(1_000)
    await until('two changes', () => states().length === 2)
    expect(states()).toEqual(['ONLINE', 'OFFLINE'])
    expect(told[1]?.activeAt).toBe(handed[0]?.activeAt)
    expect(handed[0]?.activeAt).toSatisfy(Number.isSafeInteger) // it is stored in an integer column
    await leases.renew([lease()])
    await until('to be back', () => states().at(-1) === 'ONLINE')
  })

  test('P1 the end of a session ends its device at once, and for good', async () => {
    const { leases, states } = await open(carrier)
    await leases.renew([lease(), lease({ deviceId: laptop, state: 'IDLE' })])
    await leases.end(user, phone)
    await leases.end(user, laptop)
    await leases.end(user, laptop)
    await until('three changes', () => states().length === 3)
    expect(states()).toEqual(['ONLINE', 'IDLE for good', 'OFFLINE for good'])
    expect(await present(leases)).toBeUndefined()
  })

  test('P1 a node with a fast clock, and one without any activity, spoil nothing', async () => {
    const { leases, states, told } = await open(carrier)
    await leases.renew([lease({ activeAgoMs: Date.now() + 50 })])
    await leases.renew([lease({ state: 'IDLE', activeAgoMs: 1_000 })])
    const before = Date.now()
    await leases.renew([lease({ activeAgoMs: null })])
    await until('three changes', () => states().length === 3)
    expect(states()).toEqual(['ONLINE', 'IDLE', 'ONLINE'])
    expect(Math.abs((told[2]?.activeAt ?? 0) - (before - 1_000))).toBeLessThan(1_000)
    await leases.end(user, phone)
    await until('the end', () => states().length === 4)
  })

  test('P1 leases found lapsed during another operation are handed over too', async () => {
    const { leases } = await open(carrier)
    await leases.renew([lease({ lastsMs: 50 })])
    await until('it to be gone', async () => (await present(leases)) === undefined)
    expect((await leases.renew([lease({ deviceId: laptop })])).map(({ deviceId }) => deviceId)).toEqual([phone])
    expect((await leases.end(user, laptop)).map(({ deviceId }) => deviceId)).toEqual([laptop])
    expect(await leases.lapse()).toEqual([])
  })

  test('P1 one check releases any number of lapsed leases', async () => {
    const { leases } = await open(carrier)
    const lost = Array.from({ length: 1_000 }, (_, i) =>
      lease({ userId: userIdOf(1_000 + i), deviceId: sessionIdOf(i), lastsMs: 1 }),
    )
    await leases.renew(lost)
    const people = lost.map(({ userId }) => userId)
    await until('them to be gone', async () => (await leases.read(people)).size === 0)
    expect(await leases.lapse()).toHaveLength(lost.length)
  })

  test('a sign of life that may not begin a lease only renews one', async () => {
    const { leases, states } = await open(carrier)
    await leases.renew([lease({ mayBegin: false })])
    expect(await present(leases)).toBeUndefined()
    await leases.renew([lease({ lastsMs: 1_000 })])
    await leases.renew([lease({ mayBegin: false, state: 'IDLE' })])
    await until('two changes', () => states().length === 2)
    expect(states()).toEqual(['ONLINE', 'IDLE'])
  })

  test('D7 bounds the leases of a user, and reads all users at once', async () => {
    const { leases } = await open(carrier)
    await leases.renew(Array.from({ length: leasesMax + 50 }, (_, i) => lease({ deviceId: sessionIdOf(i + 1) })))
    expect((await present(leases))?.length).toBe(leasesMax)
    const [other, absent] = [userIdOf(8), userIdOf(9)]
    await leases.renew([lease({ userId: other })])
    expect([...(await leases.read([other, absent, user])).keys()].sort()).toEqual([user, other])
  })
})

test('keeps a lease for its lifetime, and drops it in the end even if no node is left', async () => {
  const prefix = `test:${randomUUID()}`
  const leases = openRedisLeases(redisAt(), () => prefix, systemClock, new Outage(log, redisWords))
  closeAtEnd(() => leases.close())
  await until('a lease', () =>
    leases.renew([lease({ lastsMs: 600_000 })]).then(
      () => true,
      () => false,
    ),
  )
  const redis = new Redis(inject('redisUrl'))
  closeAtEnd(async () => redis.disconnect())
  const left = await redis.pttl(`${prefix}:devices:${user}`)
  expect(left).toBeGreaterThan(600_000)
  expect(left).toBeLessThan(800_000)
  expect(await redis.pttl(`${prefix}:due`)).toBeGreaterThan(0)
})

test('a device on two nodes has the best state of both, and stays while one of them holds it', async () => {
  const prefix = `test:${randomUUID()}`
  const [here, there] = [0, 1].map(() => openRedisLeases(redisAt(), () => prefix, systemClock, new Outage(log, redisWords))) as [
    Leases,
    Leases,
  ]
  closeAtEnd(() => Promise.all([here.close(), there.close()]))
  for (const leases of [here, there]) {
    await until('an answer', () =>
      leases.read([user]).then(
        () => true,
        () => false,
      ),
    )
  }
  await here.renew([lease({ lastsMs: 300 })])
  await there.renew([lease({ state: 'IDLE', mayBegin: false })])
  expect(await present(there)).toEqual([[phone, 'ONLINE']])
  await until('the other node to be the only one', async () => (await present(here))?.[0]?.[1] === 'IDLE')
  await there.end(user, phone)
  expect(await present(here)).toBeUndefined()
})
