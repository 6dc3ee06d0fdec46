// Finding a server: nodes tell of themselves, and each of them recommends the least loaded healthy one that is near.

import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { beforeAll, expect, inject, test } from 'vitest'
import { type Device, request, signUp } from '../support/device.ts'
import { createDatabase, type Environment, type Node, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'
import { Gateway } from './documents.ts'

let databaseUrl: string
let euWest: Node
let alice: Device
const environmentOf = (region: string, more: Environment = {}) => ({
  DATABASE_URL: databaseUrl,
  REDIS_URL: inject('redisUrl'),
  PARLEY_REGION: region,
  ...more,
})

beforeAll(async () => {
  databaseUrl = await createDatabase()
  euWest = await openNode(environmentOf('eu-west-1'))
  alice = await signUp(euWest, 'Alice')
})

const ask = async (region: string | null = null, device = alice) => (await device.run(Gateway, { region })).gateway
const urls = async (region: string | null = null) => {
  const { node, fallbacks } = await ask(region)
  // A node that was not told its address says so, of itself.
  return [node, ...fallbacks].map(({ url }) => url ?? euWest.socketUrl)
}

test('a node alone recommends itself, with what it says of itself; nobody is told nothing', async () => {
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  const { node, fallbacks } = await ask()
  expect(node).toEqual({
    url: null,
    region: 'eu-west-1',
    version,
    connections: 0,
    capacity: 10_000,
    eventLoopLagMs: expect.any(Number),
    isDraining: false,
  })
  expect(fallbacks).toEqual([])
  const { errors } = await request(euWest.url, Gateway, { region: null })
  expect(errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
})

test('the nearest region comes first, the others are fallbacks in the order of their nearness', async () => {
  const euNorth = await openNode(environmentOf('eu-north-1'))
  const usEast = await openNode(environmentOf('us-east-1', { PARLEY_PUBLIC_URL: 'wss://us.example.com/graphql' }))
  await until('three nodes', async () => (await urls()).length === 3)
  expect(await urls('us-east-2')).toContain('wss://us.example.com/graphql')
  expect((await urls('us-east-2'))[0]).toBe('wss://us.example.com/graphql')
  expect(await urls('eu-west-1')).toEqual([euWest.socketUrl, euNorth.socketUrl, 'wss://us.example.com/graphql'])
  expect((await urls('eu-north-2'))[0]).toBe(euNorth.socketUrl)
  // Without a region it is that of the node that is asked.
  const there = await (await alice.another(usEast)).run(Gateway, { region: null })
  expect(there.gateway.node.url).toBe('wss://us.example.com/graphql')
  await euNorth.close()
  await usEast.close()
  await until('them to be forgotten', async () => (await urls()).length === 1)
})

test('D9 a node that goes down is recommended no more from the moment on that it is told', async () => {
  const leaving = await openNode(environmentOf('eu-west-2', { PARLEY_DRAIN_MS: '3000' }))
  await until('two nodes', async () => (await urls()).length === 2)
  const there = await alice.another(leaving)
  const closed = leaving.close()
  await until('it to be left out', async () => !(await urls('eu-west-2')).includes(leaving.socketUrl), 500)
  expect((await ask('eu-west-2', there)).node.url).toBe(euWest.socketUrl)
  await closed
})

test('the less loaded node is recommended, by share of its capacity; a full one only where there is no other', async () => {
  const big = await openNode(environmentOf('ap-south-1', { PARLEY_CAPACITY: '1000' }))
  const small = await openNode(environmentOf('ap-south-1', { PARLEY_CAPACITY: '1' }))
  const first = async () => (await urls('ap-south-1'))[0]
  // Each question sends somebody somewhere for two seconds, so the small one takes turns with the big one.
  await until('the small one', async () => (await first()) === small.socketUrl)
  await until('the big one', async () => (await first()) === big.socketUrl)
  const stream = await (await alice.another(small)).events().live()
  const report = async () => (await ask('ap-south-1')).fallbacks.find(({ url }) => url === small.socketUrl)
  await until('the small one to be full', async () => (await report())?.connections === 1)
  await delay(6_000)
  expect(await first()).toBe(big.socketUrl)
  await big.close()
  expect(await first()).toBe(euWest.socketUrl)
  stream.stop()
  await until('room again', async () => (await first()) === small.socketUrl)
  await small.close()
})

test('D7 a region is a short name', async () => {
  for (const region of ['-'.repeat(1_000), 'x'.repeat(65), 'EU', '']) {
    const { extensions } = await alice.refused(Gateway, { region })
    expect(extensions).toMatchObject({ code: 'BAD_INPUT', argument: 'region' })
  }
})

test('those who ask within one second are dealt out evenly, though the reports say all the while that one is the emptier', async () => {
  const twin = await openNode(environmentOf('eu-west-1'))
  await until('two nodes', async () => (await urls()).length === 2)
  const stream = await (await alice.another(twin)).events().live()
  const reported = async () => {
    const { node, fallbacks } = await ask()
    return [node, ...fallbacks].find(({ url }) => url === twin.socketUrl)?.connections
  }
  await until('its connection to be told of', async () => (await reported()) === 1)
  const asked = await Promise.all(Array.from({ length: 200 }, async () => (await ask()).node.url ?? euWest.socketUrl))
  const mine = asked.filter((url) => url === euWest.socketUrl).length
  // The node counts those that it has sent somewhere within the last seconds, these tests' own questions among them.
  expect(mine).toBeGreaterThanOrEqual(80)
  expect(mine).toBeLessThanOrEqual(120)
  stream.stop()
  await twin.close()
})
