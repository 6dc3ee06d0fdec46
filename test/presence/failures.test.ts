// What goes wrong with devices, nodes and Redis, at the times that Parley comes with: a device is there until 30 s after its
// last sign of life, whoever failed, and nothing sticks (P1).

import { spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { beforeAll, expect, inject, test } from 'vitest'
import { at, Parley } from '../process/parley.ts'
import { type Device, signUp } from '../support/device.ts'
import { closeAtEnd, createDatabase, type Node, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'
import { openWire, type Wire } from '../support/wire.ts'
import { connectDevice, watchPresence } from './watch.ts'

const ttlMs = 30_000
/** Within so much of the time at which it should be seen. */
const graceMs = 5_000
const limitMs = 60_000

let databaseUrl: string
let node: Node
/** A node whose Redis is at the other end of a wire. */
let wired: Node
let redis: Wire
let alice: Device
beforeAll(async () => {
  databaseUrl = await createDatabase()
  redis = await openWire(inject('redisUrl'))
  node = await openNode({ DATABASE_URL: databaseUrl, REDIS_URL: inject('redisUrl') })
  wired = await openNode({ DATABASE_URL: databaseUrl, REDIS_URL: redis.url, PARLEY_LOG_LEVEL: 'silent' })
  alice = await signUp(node, 'Alice')
})

async function near(name: string, at: Node = node): Promise<Device> {
  const device = await signUp(at, name)
  await alice.direct(device)
  return device
}

/** Waits until somebody is shown as offline; gives after how long. */
async function offline(watch: ReturnType<typeof watchPresence>, person: Device): Promise<number> {
  const begun = Date.now()
  await watch.shows(person, 'OFFLINE', limitMs)
  return Date.now() - begun
}

test.concurrent('P1 a cable is cut: offline 30 s after the last sign of life', { timeout: limitMs }, async () => {
  const bob = await near('bob')
  const wire = await openWire(node.socketUrl.replace('ws:', 'http:'))
  await connectDevice(bob, wire.url.replace('http:', 'ws:'))
  const watch = watchPresence(alice, bob)
  await watch.shows(bob, 'ONLINE')
  wire.freeze()
  const ms = await offline(watch, bob)
  expect(ms).toBeGreaterThan(ttlMs - 12_000 - graceMs)
  expect(ms).toBeLessThan(ttlMs + graceMs)
})

test.concurrent('P1 a tunnel of 20 s: never offline', { timeout: limitMs }, async () => {
  const carol = await near('carol')
  const wire = await openWire(node.socketUrl.replace('ws:', 'http:'))
  await connectDevice(carol, wire.url.replace('http:', 'ws:'))
  const watch = watchPresence(alice, carol)
  await watch.shows(carol, 'ONLINE')
  wire.freeze()
  await delay(20_000)
  wire.cut()
  await connectDevice(carol) // on the other side, over another network
  await delay(ttlMs - 10_000)
  expect(watch.states(carol).slice(watch.states(carol).indexOf('ONLINE'))).toEqual(['ONLINE'])
})

test.concurrent('P1 the lid of a laptop is closed, and opened again', { timeout: limitMs }, async () => {
  const dan = await near('dan')
  const program = fileURLToPath(new URL('laptop.ts', import.meta.url))
  const laptop = spawn(process.execPath, ['--import', 'tsx', program, node.socketUrl, dan.accessToken])
  closeAtEnd(async () => void laptop.kill('SIGKILL'))
  const watch = watchPresence(alice, dan)
  await watch.shows(dan, 'ONLINE', 15_000)
  laptop.kill('SIGSTOP')
  expect(await offline(watch, dan)).toBeLessThan(ttlMs + graceMs)
  laptop.kill('SIGCONT')
  await watch.shows(dan, 'ONLINE', 10_000)
})

test.concurrent('P1 a node is killed: its users are offline within 35 s, those who went elsewhere never', {
  timeout: 90_000,
}, async () => {
  const parley = new Parley(
    {
      PORT: '0',
      PARLEY_DATA_DIR: '/dev/null/none',
      DATABASE_URL: databaseUrl,
      REDIS_URL: inject('redisUrl'),
      PARLEY_TOKEN_SECRET: 'the token secret of all nodes of the tests',
    },
    closeAtEnd,
  )
  const door = await parley.ready()
  const [erin, frank] = [await near('erin'), await near('frank')]
  const [hers, his] = [
    Object.assign(Object.create(erin), { node: at(door) }),
    Object.assign(Object.create(frank), { node: at(door) }),
  ]
  await connectDevice(hers)
  await connectDevice(his)
  const watch = watchPresence(alice, erin, frank)
  await watch.shows(erin, 'ONLINE')
  await watch.shows(frank, 'ONLINE')
  parley.kill('SIGKILL')
  await connectDevice(frank)
  expect(await offline(watch, erin)).toBeLessThan(ttlMs + graceMs)
  expect(watch.states(frank).at(-1)).toBe('ONLINE')
  expect(watch.states(frank).filter((state) => state === 'OFFLINE').length).toBeLessThanOrEqual(1)
})

test.concurrent('P1 Redis is away, and forgets everything: all are right again soon after', { timeout: 90_000 }, async () => {
  const [gina, hank, iris] = [await near('gina', wired), await near('hank', wired), await near('iris', wired)]
  await connectDevice(gina)
  const hanks = await connectDevice(hank)
  const viewer = await alice.another(wired)
  const watch = watchPresence(viewer, gina, hank, iris)
  await watch.shows(gina, 'ONLINE')
  await watch.shows(hank, 'ONLINE')
  redis.cut()
  hanks.close()
  await connectDevice(iris)
  const direct = new Redis(inject('redisUrl'))
  const prefix = wired.app.journal.topic('presence')
  for (const person of [gina, hank, iris]) {
    await direct.del(`${prefix}:devices:${Number.parseInt(person.userId.slice(4), 36)}`)
  }
  direct.disconnect()
  await delay(6_000) // longer than what is read again after it
  redis.mend()
  await watch.shows(iris, 'ONLINE', graceMs)
  await offline(watch, hank)
  expect(watch.states(gina).slice(watch.states(gina).indexOf('ONLINE'))).toEqual(['ONLINE'])
  await until(
    'nothing to be wrong',
    () => ['ONLINE', 'OFFLINE', 'ONLINE'].join() === [gina, hank, iris].map((p) => watch.states(p).at(-1)).join(),
  )
})
