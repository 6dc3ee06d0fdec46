// The gateway: nodes report themselves, and each recommends the least loaded healthy one that is near.

import { readFile } from 'node:fs/promises'
import { beforeAll, expect, inject, test } from 'vitest'
import { TestClock } from '../support/clock.ts'
import { type Device, request, signUp } from '../support/device.ts'
import { createDatabase, type Environment, type Node, openNode } from '../support/node.ts'
import { Gateway } from './documents.ts'

const clock = new TestClock()
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
  euWest = await openNode(environmentOf('eu-west-1'), clock)
  alice = await signUp(euWest, 'Alice')
})

const ask = async (region: string | null = null, device = alice) => (await device.run(Gateway, { region })).gateway
const urls = async (region: string | null = null) => {
  const { node, fallbacks } = await ask(region)
  // A node without a public URL says so.
  return [node, ...fallbacks].map(({ url }) => url ?? euWest.socketUrl)
}

test('a lone node recommends itself with its own report; an anonymous caller gets nothing', async () => {
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

test('the nearest region comes first, and the fallbacks are ordered by distance', async () => {
  const euNorth = await openNode(environmentOf('eu-north-1'), clock)
  const usEast = await openNode(environmentOf('us-east-1', { PARLEY_PUBLIC_URL: 'wss://us.example.com/graphql' }), clock)
  await clock.until('three nodes', async () => (await urls()).length === 3)
  expect(await urls('us-east-2')).toContain('wss://us.example.com/graphql')
  expect((await urls('us-east-2'))[0]).toBe('wss://us.example.com/graphql')
  expect(await urls('eu-west-1')).toEqual([euWest.socketUrl, euNorth.socketUrl, 'wss://us.example.com/graphql'])
  expect((await urls('eu-north-2'))[0]).toBe(euNorth.socketUrl)
  // Without a region, that of the answering node counts.
  const there = await (await alice.another(usEast)).run(Gateway, { region: null })
  expect(there.gateway.node.url).toBe('wss://us.example.com/graphql')
  await euNorth.close()
  await usEast.close()
  await clock.until('them to be forgotten', async () => (await urls()).length === 1)
})

test('D9 a stopping node is no longer recommended from the moment it is told to stop', async () => {
  const leaving = await openNode(environmentOf('eu-west-2', { PARLEY_DRAIN_MS: '3000' }), clock)
  await clock.until('two nodes', async () => (await urls()).length === 2)
  const there = await alice.another(leaving)
  const closed = leaving.close()
  await clock.until('it to be left out', async () => !(await urls('eu-west-2')).includes(leaving.socketUrl), 500)
  expect((await ask('eu-west-2', there)).node.url).toBe(euWest.socketUrl)
  await closed
})

test('recommends the node with the lower share of its capacity in use, and a full one only without an alternative', async () => {
  const big = await openNode(environmentOf('ap-south-1', { PARLEY_CAPACITY: '1000' }), clock)
  const small = await openNode(environmentOf('ap-south-1', { PARLEY_CAPACITY: '1' }), clock)
  const first = async () => (await urls('ap-south-1'))[0]
  // Each query sends a client somewhere for two seconds, so the small node takes turns with the big one.
  await clock.until('the small one', async () => (await first()) === small.socketUrl)
  await clock.until('the big one', async () => (await first()) === big.socketUrl)
  const stream = await (await alice.another(small)).events().live()
  const report = async () => (await ask('ap-south-1')).fallbacks.find(({ url }) => url === small.socketUrl)
  await clock.until('the small one to be full', async () => (await report())?.connections === 1)
  await clock.turn(6_000)
  expect(await first()).toBe(big.socketUrl)
  await big.close()
  await clock.until('the one that is gone to be left out', async () => (await first()) === euWest.socketUrl, 500)
  stream.stop()
  await clock.until('room again', async () => (await first()) === small.socketUrl)
  await small.close()
})

test('D7 a region is a short name', async () => {
  for (const region of ['-'.repeat(1_000), 'x'.repeat(65), 'EU', '']) {
    const { extensions } = await alice.refused(Gateway, { region })
    expect(extensions).toMatchObject({ code: 'BAD_INPUT', argument: 'region' })
  }
})

test('spreads clients of one second evenly, although the reports show one node as emptier all the while', async () => {
  const twin = await openNode(environmentOf('eu-west-1'), clock)
  await clock.until('two nodes', async () => (await urls()).length === 2)
  const stream = await (await alice.another(twin)).events().live()
  const reported = async () => {
    const { node, fallbacks } = await ask()
    return [node, ...fallbacks].find(({ url }) => url === twin.socketUrl)?.connections
  }
  await clock.until('its connection to be told of', async () => (await reported()) === 1)
  const asked = await Promise.all(Array.from({ length: 200 }, async () => (await ask()).node.url ?? euWest.socketUrl))
  const mine = asked.filter((url) => url === euWest.socketUrl).length
  // The node counts the clients that it has recommended a node to within the last seconds, including those of this test.
  expect(mine).toBeGreaterThanOrEqual(80)
  expect(mine).toBeLessThanOrEqual(120)
  stream.stop()
  await twin.close()
})
