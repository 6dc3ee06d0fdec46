// Failures of devices, nodes and Redis, in processes of their own: a device is present until its time after its last sign of life,
// whatever failed, and nothing sticks (P1).

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { beforeAll, expect, inject, test } from 'vitest'
import { userIdOf } from '../../src/id.ts'
import { at, Parley } from '../process/parley.ts'
import { TestClock } from '../support/clock.ts'
import { type Device, signUp } from '../support/device.ts'
import { closeAtEnd, createDatabase, type Node, openNode } from '../support/node.ts'
import { openProxy, type ServerProxy } from '../support/proxy.ts'
import { until } from '../support/until.ts'
import { connectDevice, watchPresence } from './watch.ts'

const ttlMs = 30_000
/** The tolerance for the times at which a state must show. */
const graceMs = 5_000

const clock = new TestClock()
let node: Node
/** A node with a proxy before its Redis. */
let wired: Node
let redis: ServerProxy
let alice: Device
beforeAll(async () => {
  const shared = { DATABASE_URL: await createDatabase() }
  redis = await openProxy(inject('redisUrl'))
  node = await openNode({ ...shared, REDIS_URL: inject('redisUrl') }, clock)
  wired = await openNode({ ...shared, REDIS_URL: redis.url, PARLEY_LOG_LEVEL: 'silent' }, clock)
  alice = await signUp(node, 'Alice')
})

async function near(viewer: Device, name: string, at: Node = viewer.node): Promise<Device> {
  const device = await signUp(at, name)
  await viewer.direct(device)
  return device
}

test('P1 closing and opening the lid of a laptop makes its user offline and online', async () => {
  const dan = await near(alice, 'dan')
  const program = fileURLToPath(new URL('laptop.ts', import.meta.url))
  const laptop = spawn(process.execPath, ['--import', 'tsx', program, node.socketUrl, dan.accessToken])
  closeAtEnd(async () => void laptop.kill('SIGKILL'))
  let connections = 0
  laptop.stdout.on('data', () => {
    connections += 1
  })
  const watch = watchPresence(alice, dan)
  await until('the laptop to connect', () => connections === 1, 30_000)
  await watch.shows(dan, 'ONLINE')
  laptop.kill('SIGSTOP')
  await clock.turn(ttlMs)
  await watch.shows(dan, 'OFFLINE', graceMs)
  await clock.turn(1_000) // lapsed leases are released once a second
  laptop.kill('SIGCONT')
  await until('the laptop to connect again', () => connections === 2, 30_000)
  await watch.shows(dan, 'ONLINE')
})

test('P1 after a node is killed its users are offline when their time is over, and those who reconnected elsewhere never', async () => {
  const shortTtlMs = 5_000
  const environment = {
    DATABASE_URL: await createDatabase(),
    REDIS_URL: inject('redisUrl'),
    PARLEY_PRESENCE_TTL_S: String(shortTtlMs / 1_000),
    PARLEY_TOKEN_SECRET: 'the token secret of all nodes of the tests',
  }
  const parley = new Parley({ ...environment, PORT: '0', PARLEY_DATA_DIR: '/dev/null/none' }, closeAtEnd)
  const server = await parley.ready()
  const survivor = await openNode(environment)
  const viewer = await signUp(survivor, 'Viewer')
  const [erin, frank] = [await near(viewer, 'erin'), await near(viewer, 'frank')]
  for (const person of [erin, frank]) await connectDevice(Object.assign(Object.create(person), { node: at(server) }))
  const watch = watchPresence(viewer, erin, frank)
  await watch.shows(erin, 'ONLINE')
  await watch.shows(frank, 'ONLINE')
  parley.kill('SIGKILL')
  await connectDevice(frank)
  await watch.shows(erin, 'OFFLINE', shortTtlMs + graceMs)
  expect(watch.states(frank).at(-1)).toBe('ONLINE')
  expect(watch.states(frank).filter((state) => state === 'OFFLINE').length).toBeLessThanOrEqual(1)
})

test('P1 all states are right again soon after Redis was away and forgot everything', async () => {
  const [gina, hank, iris] = [
    await near(alice, 'gina', wired),
    await near(alice, 'hank', wired),
    await near(alice, 'iris', wired),
  ]
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
  await clock.turn(6_000) // longer than the pause after which everything is read again
  redis.restore()
  await until('the node to reach Redis again', () =>
    wired.app.presence.devices([userIdOf(1)]).then(
      () => true,
      () => false,
    ),
  )
  await watch.shows(iris, 'ONLINE', graceMs)
  await clock.turn(ttlMs)
  await watch.shows(hank, 'OFFLINE', graceMs)
  expect(watch.states(gina).slice(watch.states(gina).indexOf('ONLINE'))).toEqual(['ONLINE'])
  await clock.until(
    'nothing to be wrong',
    () => ['ONLINE', 'OFFLINE', 'ONLINE'].join() === [gina, hank, iris].map((p) => watch.states(p).at(-1)).join(),
  )
})
