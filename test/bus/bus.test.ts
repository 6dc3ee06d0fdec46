// One contract suite for all kinds of bus (src/bus/bus.ts). Faults that only Redis can have stand below.

import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { describe, expect, inject, test } from 'vitest'
import type { Bus, Form } from '../../src/bus/bus.ts'
import { anything, busOn, type Carrier, carriers, clusterOfFile, memoryBus, redisBus, redisOf } from '../support/bus.ts'
import { closeAtEnd } from '../support/node.ts'
import { openProxy } from '../support/proxy.ts'
import { until } from '../support/until.ts'

/** Two ends of a bus, like those of two nodes. */
type Ends = { here: Bus; there: Bus }

function open(create: () => Ends): Ends {
  const ends = create()
  closeAtEnd(async () => {
    await ends.here.close()
    await ends.there.close()
  })
  return ends
}

/** Two ends on a carrier. */
async function openOn(carrier: Carrier[1]): Promise<Ends> {
  const settings = await carrier()
  const bus = memoryBus()
  return open(() => (settings === null ? { here: bus, there: bus } : { here: busOn(settings), there: busOn(settings) }))
}

/** Subscribes to a topic and waits for messages. */
async function hear(bus: Bus, topic: string) {
  const heard: unknown[] = []
  let wake: () => void = () => undefined
  const unsubscribe = await bus.subscribe(topic, anything, ({ value }) => {
    heard.push(value)
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

/** Publishes until it arrives: a publisher that is still connecting drops messages. */
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

describe.each(carriers)('the bus in %s', (_name, carrier) => {
  test('delivers JSON values to every subscriber, on both ends, unchanged and in order', async () => {
    const ends = await openOn(carrier)
    await ready(ends)
    const droppedAtFirst = ends.here.dropped() // messages of `ready` while the publisher was still connecting
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

  test('drops and counts messages in a wrong form, and delivers what follows', async () => {
    const ends = await openOn(carrier)
    await ready(ends)
    const topic = randomUUID()
    const heard: number[] = []
    const whole: Form<number> = { parse: (value) => (Number.isSafeInteger(value) ? (value as number) : null), isSigned: true }
    await ends.there.subscribe(topic, whole, (value) => heard.push(value))
    for (const value of [0.5, '1', null, 2]) ends.here.publish(topic, value)
    await until('the last one', () => heard.length > 0)
    expect(heard).toEqual([2])
    expect(ends.there.malformed()).toBe(3)
  })

  test('keeps topics apart', async () => {
    const ends = await openOn(carrier)
    await ready(ends)
    const [one, two] = [randomUUID(), randomUUID()]
    const [onOne, onTwo] = [await hear(ends.there, one), await hear(ends.there, two)]
    ends.here.publish(one, 1)
    ends.here.publish(two, 2)
    expect(await onOne.count(1)).toEqual([1])
    expect(await onTwo.count(1)).toEqual([2])
  })

  test('a subscriber that throws disturbs neither the others nor later messages', async () => {
    const ends = await openOn(carrier)
    await ready(ends)
    const topic = randomUUID()
    await ends.there.subscribe(topic, anything, () => {
      throw new Error('a listener that fails')
    })
    const ear = await hear(ends.there, topic)
    ends.here.publish(topic, 1)
    ends.here.publish(topic, 2)
    expect(await ear.count(2)).toEqual([1, 2])
  })

  test('delivers nothing after unsubscribing, and other subscribers of the topic go on', async () => {
    const ends = await openOn(carrier)
    await ready(ends)
    const topic = randomUUID()
    const [leaving, staying] = [await hear(ends.there, topic), await hear(ends.there, topic)]
    await leaving.unsubscribe()
    ends.here.publish(topic, 'after')
    expect(await staying.count(1)).toEqual(['after'])
    expect(leaving.heard).toEqual([])
  })

  test('publishing without subscribers, and on a closed bus, does no harm', async () => {
    const ends = await openOn(carrier)
    await ready(ends)
    ends.here.publish(randomUUID(), 'to nobody')
    const { unsubscribe } = await hear(ends.here, randomUUID())
    await ends.here.close()
    ends.here.publish(randomUUID(), 'too late')
    await unsubscribe()
  })
})

describe('the Redis bus alone', () => {
  test('accepts messages of a node with the same secrets on the same topic, and nothing else', async () => {
    const ends = open(() => ({ here: redisBus(), there: redisBus() }))
    await ready(ends)
    const [topic, other] = [randomUUID(), randomUUID()]
    const [ear, otherEar] = [await hear(ends.there, topic), await hear(ends.there, other)]
    const redis = new Redis(inject('redisUrl'))
    closeAtEnd(async () => redis.disconnect())
    const overheard: string[] = []
    const listener = new Redis(inject('redisUrl'))
    closeAtEnd(async () => listener.disconnect())
    listener.on('message', (_topic, message) => overheard.push(message))
    await listener.subscribe(topic)
    ends.here.publish(topic, { text: 'true' })
    await ear.count(1)
    await until('it to be overheard', () => overheard.length === 1)
    const [sealed = ''] = overheard
    const flipped = sealed.replace('true', 'tru3')
    const forgeries = ['', 'x', '"true"', sealed.slice(22), flipped, `${'A'.repeat(22)}${sealed.slice(22)}`, `é${sealed}`]
    for (const forgery of forgeries) await redis.publish(topic, forgery)
    await redis.publish(other, sealed)
    ends.here.publish(topic, 'last')
    expect(await ear.count(2)).toEqual([{ text: 'true' }, 'last'])
    expect(otherEar.heard).toEqual([])
    await until('the refusals', () => ends.there.refused() === forgeries.length + 1)
  })

  test('a secret is replaced in three rolling steps, and each node understands those of the step before', async () => {
    const [old, young] = ['the secret that is to be replaced', 'the secret that comes in its place']
    const steps = [[old], [old, young], [young, old], [young]]
    const buses = steps.map((secrets) => redisBus(inject('redisUrl'), secrets))
    closeAtEnd(() => Promise.all(buses.map((bus) => bus.close())))
    for (const bus of buses) await ready({ here: bus, there: bus })
    for (const [step, bus] of buses.entries()) {
      const topic = randomUUID()
      const ears = await Promise.all(buses.map((each) => hear(each, topic)))
      bus.publish(topic, step)
      const neighbours = ears.filter((_ear, other) => Math.abs(other - step) <= 1)
      for (const ear of neighbours) expect(await ear.count(1)).toEqual([step])
    }
    // Without the step between, they do not understand each other.
    expect(buses[0]?.refused()).toBeGreaterThan(0)
  })

  test('reports an interruption when its connection is lost and when it is back, and then receives again', async () => {
    const ends = open(() => ({ here: redisBus(), there: redisBus() }))
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

  test('notices a frozen Redis on both connections, blocks no publisher, and receives again afterwards', async () => {
    const proxy = await openProxy(inject('redisUrl'))
    const ends = open(() => ({ here: redisBus(proxy.url), there: redisBus(proxy.url) }))
    await ready(ends)
    const topic = randomUUID()
    const ear = await hear(ends.there, topic)
    let interruptions = 0
    ends.there.onInterruption(() => {
      interruptions += 1
    })
    const droppedAtFirst = ends.here.dropped() // messages of `ready` while the publisher was still connecting
    proxy.freeze()
    const frozen = performance.now()
    const before = process.memoryUsage().rss
    const large = 'x'.repeat(200_000)
    for (let i = 0; i < 2_000; i += 1) ends.here.publish(topic, large) // 400 MB
    expect(performance.now() - frozen).toBeLessThan(2_000)
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000)
    await until('the interruption', () => interruptions > 0, 10_000)
    await until('the drops', () => ends.here.dropped() - droppedAtFirst === 2_000)
    proxy.restore()
    const seen = ear.heard.length
    await until('something to be heard again', () => {
      ends.here.publish(topic, 'again')
      return ear.heard.slice(seen).includes('again')
    })
  })

  test('reopens a connection that the network dropped while it was being opened', async () => {
    const proxy = await openProxy(inject('redisUrl'))
    proxy.freeze()
    const ends = open(() => ({ here: redisBus(proxy.url), there: redisBus(proxy.url) }))
    await until('new connections in place of those that were given up', () => proxy.count() > 4)
    proxy.restore()
    await ready(ends)
    const ear = await hear(ends.there, 'again')
    ends.here.publish('again', 1)
    expect(await ear.count(1)).toEqual([1])
  })

  test('without a Redis it neither throws nor waits: it drops and counts', async () => {
    const bus = redisBus('redis://127.0.0.1:1')
    closeAtEnd(() => bus.close())
    const started = performance.now()
    const unsubscribe = await bus.subscribe('topic', anything, () => undefined)
    bus.publish('topic', 'nobody will hear this')
    await unsubscribe()
    expect(performance.now() - started).toBeLessThan(4_000)
    await new Promise(setImmediate)
    expect(bus.dropped()).toBe(1)
  })
})

describe('the bus in a Redis Cluster alone', () => {
  test('the first messages to each master arrive in order, too', async () => {
    const settings = redisOf((await clusterOfFile()).environment)
    const ends = open(() => ({ here: busOn(settings), there: busOn(settings) }))
    const topics = Array.from({ length: 12 }, () => randomUUID())
    const ears = await Promise.all(topics.map((topic) => hear(ends.there, topic)))
    await ready(ends)
    const numbers = Array.from({ length: 100 }, (_, n) => n)
    for (const n of numbers) for (const topic of topics) ends.here.publish(topic, n)
    for (const ear of ears) expect(await ear.count(numbers.length)).toEqual(numbers)
  })

  test('carries the topics of a slot that moves to another master, and those of a master that was killed and came back', async () => {
    const cluster = await clusterOfFile()
    const settings = redisOf(cluster.environment)
    const ends = open(() => ({ here: busOn(settings), there: busOn(settings) }))
    await ready(ends)
    const topic = 'a:{7}:topic'
    const slot = Number(await cluster.servers[0]?.admin.cluster('KEYSLOT', topic))
    const ear = await hear(ends.there, topic)
    const carried = async (what: string) => {
      const seen = ear.heard.length
      await until(
        what,
        () => {
          ends.here.publish(topic, what)
          return ear.heard.slice(seen).includes(what)
        },
        30_000,
      )
    }
    await carried('at first')
    const from = await cluster.masterOf(slot)
    const to = (await cluster.masters()).find((master) => master !== from)
    if (!to) throw new Error('there is only one master')
    await cluster.move(slot, to)
    await carried('after the move')
    let interruptions = 0
    ends.there.onInterruption(() => {
      interruptions += 1
    })
    await to.kill()
    await until('the interruption', () => interruptions > 0, 10_000)
    to.restart()
    await cluster.whole()
    await carried('after the restart')
    expect(ends.there.malformed()).toBe(0)
  })
})
