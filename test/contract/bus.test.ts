// One contract for both kinds of bus (src/bus/bus.ts). What only Redis can do to us stands below.

import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { describe, expect, inject, test } from 'vitest'
import type { Bus } from '../../src/bus/bus.ts'
import { openMemoryBus } from '../../src/bus/memory.ts'
import { openRedisBus } from '../../src/bus/redis.ts'
import { openLog } from '../../src/log.ts'
import { closeAtEnd } from '../support/node.ts'
import { until } from '../support/until.ts'
import { openWire } from '../support/wire.ts'

const log = openLog('silent', 'test')

/** Two ends of a bus, as two nodes have them. */
type Ends = { here: Bus; there: Bus }

const kinds: [string, () => Ends][] = [
  [
    'memory',
    () => {
      const bus = openMemoryBus(log)
      return { here: bus, there: bus }
    },
  ],
  ['Redis', () => ({ here: openRedisBus(inject('redisUrl'), log), there: openRedisBus(inject('redisUrl'), log) })],
]

function open(create: () => Ends): Ends {
  const ends = create()
  closeAtEnd(async () => {
    await ends.here.close()
    await ends.there.close()
  })
  return ends
}

/** Hears a topic, and waits for messages. */
async function hear(bus: Bus, topic: string) {
  const heard: unknown[] = []
  let wake: () => void = () => undefined
  const unsubscribe = await bus.subscribe(topic, (message) => {
    heard.push(message)
    wake()
  })
  const count = async (n: number) => {
    const deadline = Date.now() + 5_000
    while (heard.length < n && Date.now() < deadline) {
      await new Promise<void>((resolve) => {
        wake = resolve
        setTimeout(resolve, 100)
      })
    }
    return heard
  }
  return { heard, count, unsubscribe }
}

/** Publishes until it arrives: a publisher that is still connecting drops what it is given. */
async function ready({ here, there }: Ends): Promise<void> {
  for (const bus of [here, there]) {
    const topic = randomUUID()
    const ear = await hear(here, topic)
    const deadline = Date.now() + 5_000
    while (ear.heard.length === 0 && Date.now() < deadline) {
      bus.publish(topic, 'are you there')
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    await ear.unsubscribe()
  }
}

describe.each(kinds)('the %s bus', (_kind, create) => {
  test('brings JSON values to every listener, on both ends, unchanged and in order', async () => {
    const ends = open(create)
    await ready(ends)
    const droppedAtFirst = ends.here.dropped() // what `ready` gave a publisher that was still connecting
    const topic = randomUUID()
    const ears = [await hear(ends.here, topic), await hear(ends.there, topic), await hear(ends.there, topic)]
    const messages = [
      ...Array.from({ length: 100 }, (_, n) => ({ n, deep: [n, null, { text: '안녕 \u2028 "quoted"' }] })),
      'text',
      7,
      null,
      [],
    ]
    for (const message of messages) ends.here.publish(topic, message)
    for (const ear of ears) expect(await ear.count(messages.length)).toEqual(messages)
    expect(ends.here.dropped()).toBe(droppedAtFirst)
  })

  test('keeps topics apart', async () => {
    const ends = open(create)
    await ready(ends)
    const [one, two] = [randomUUID(), randomUUID()]
    const [onOne, onTwo] = [await hear(ends.there, one), await hear(ends.there, two)]
    ends.here.publish(one, 1)
    ends.here.publish(two, 2)
    expect(await onOne.count(1)).toEqual([1])
    expect(await onTwo.count(1)).toEqual([2])
  })

  test('a listener that throws disturbs neither the others nor what follows', async () => {
    const ends = open(create)
    await ready(ends)
    const topic = randomUUID()
    await ends.there.subscribe(topic, () => {
      throw new Error('a listener that fails')
    })
    const ear = await hear(ends.there, topic)
    ends.here.publish(topic, 1)
    ends.here.publish(topic, 2)
    expect(await ear.count(2)).toEqual([1, 2])
  })

  test('after unsubscribing nothing comes, and other listeners of the topic go on', async () => {
    const ends = open(create)
    await ready(ends)
    const topic = randomUUID()
    const [leaving, staying] = [await hear(ends.there, topic), await hear(ends.there, topic)]
    await leaving.unsubscribe()
    ends.here.publish(topic, 'after')
    expect(await staying.count(1)).toEqual(['after'])
    expect(leaving.heard).toEqual([])
  })

  test('publishing to nobody, and on a closed bus, harms nobody', async () => {
    const ends = open(create)
    await ready(ends)
    ends.here.publish(randomUUID(), 'to nobody')
    const { unsubscribe } = await hear(ends.here, randomUUID())
    await ends.here.close()
    ends.here.publish(randomUUID(), 'too late')
    await unsubscribe()
  })
})

describe('the Redis bus alone', () => {
  test('tells of an interruption when its connection is lost and when it is back, and then hears again', async () => {
    const ends = open(() => ({ here: openRedisBus(inject('redisUrl'), log), there: openRedisBus(inject('redisUrl'), log) }))
    await ready(ends)
    const topic = randomUUID()
    const ear = await hear(ends.there, topic)
    let interruptions = 0
    ends.there.onInterruption(() => {
      interruptions += 1
    })
    const admin = new Redis(inject('redisUrl'))
    closeAtEnd(async () => admin.disconnect())
    await admin.client('KILL', 'TYPE', 'PUBSUB')
    const deadline = Date.now() + 5_000
    while (ear.heard.length === 0 && Date.now() < deadline) {
      ends.here.publish(topic, 'again')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(ear.heard.length).toBeGreaterThan(0)
    expect(interruptions).toBeGreaterThanOrEqual(2)
  })

  test('a Redis that is frozen is noticed on both connections, holds no publisher, and is heard again when it goes on', async () => {
    const wire = await openWire(inject('redisUrl'))
    const ends = open(() => ({ here: openRedisBus(wire.url, log), there: openRedisBus(wire.url, log) }))
    await ready(ends)
    const topic = randomUUID()
    const ear = await hear(ends.there, topic)
    let interruptions = 0
    ends.there.onInterruption(() => {
      interruptions += 1
    })
    const droppedAtFirst = ends.here.dropped() // what `ready` gave a publisher that was still connecting
    wire.freeze()
    const frozen = performance.now()
    const before = process.memoryUsage().rss
    const large = 'x'.repeat(200_000)
    for (let i = 0; i < 2_000; i += 1) ends.here.publish(topic, large) // 400 MB
    expect(performance.now() - frozen).toBeLessThan(2_000)
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000)
    await until('the interruption', () => interruptions > 0, 10_000)
    await until('the drops', () => ends.here.dropped() - droppedAtFirst === 2_000)
    wire.mend()
    const seen = ear.heard.length
    await until('something to be heard again', () => {
      ends.here.publish(topic, 'again')
      return ear.heard.slice(seen).includes('again')
    })
  })

  test('a connection that was forgotten on the way while it was made is made again', async () => {
    const wire = await openWire(inject('redisUrl'))
    wire.freeze()
    const ends = open(() => ({ here: openRedisBus(wire.url, log), there: openRedisBus(wire.url, log) }))
    await until('connections that were given up to be made anew', () => wire.count() > 4)
    wire.mend()
    await ready(ends)
    const ear = await hear(ends.there, 'again')
    ends.here.publish('again', 1)
    expect(await ear.count(1)).toEqual([1])
  })

  test('without a Redis it neither throws nor waits: it drops, and counts', async () => {
    const bus = openRedisBus('redis://127.0.0.1:1', log)
    closeAtEnd(() => bus.close())
    const started = performance.now()
    const unsubscribe = await bus.subscribe('topic', () => undefined)
    bus.publish('topic', 'nobody will hear this')
    await unsubscribe()
    expect(performance.now() - started).toBeLessThan(4_000)
    await new Promise(setImmediate)
    expect(bus.dropped()).toBe(1)
  })
})
