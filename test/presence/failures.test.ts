// Connections that fail: a device is present until 30 s after its last sign of life, and nothing sticks (P1).

import { beforeAll, expect, inject, test } from 'vitest'
import { TestClock } from '../support/clock.ts'
import { type Device, signUp } from '../support/device.ts'
import { type Node, openNode } from '../support/node.ts'
import { openProxy } from '../support/proxy.ts'
import { connectDevice, watchPresence } from './watch.ts'

const ttlMs = 30_000
/** The last sign of life may be so old when a cable is cut. */
const pingMs = 12_000
/** The tolerance for the times at which a state must show. */
const graceMs = 2_000

const clock = new TestClock()
let node: Node
let alice: Device
beforeAll(async () => {
  node = await openNode({ REDIS_URL: inject('redisUrl') }, clock)
  alice = await signUp(node, 'Alice')
})

async function near(name: string): Promise<Device> {
  const device = await signUp(node, name)
  await alice.direct(device)
  return device
}

test('P1 after a cut cable a user is offline 30 s after the last sign of life', async () => {
  const bob = await near('bob')
  const proxy = await openProxy(node.socketUrl.replace('ws:', 'http:'))
  await connectDevice(bob, proxy.url.replace('http:', 'ws:'))
  const watch = watchPresence(alice, bob)
  await watch.shows(bob, 'ONLINE')
  proxy.freeze()
  await clock.turn(ttlMs - pingMs)
  expect(watch.states(bob).at(-1)).toBe('ONLINE')
  await watch.shows(bob, 'OFFLINE', pingMs + graceMs)
})

test('P1 a tunnel of 20 s never makes a user offline', async () => {
  const carol = await near('carol')
  const proxy = await openProxy(node.socketUrl.replace('ws:', 'http:'))
  await connectDevice(carol, proxy.url.replace('http:', 'ws:'))
  const watch = watchPresence(alice, carol)
  await watch.shows(carol, 'ONLINE')
  proxy.freeze()
  await clock.turn(20_000)
  proxy.cut()
  await connectDevice(carol) // after the tunnel, over another network
  await clock.turn(ttlMs - 10_000)
  expect(watch.states(carol).slice(watch.states(carol).indexOf('ONLINE'))).toEqual(['ONLINE'])
})
