// Tokens that expire while their socket is open: a fresh one keeps it open with all of its operations; without one it closes.

import { print } from 'graphql'
import type { Client } from 'graphql-ws'
import { beforeAll, expect, test } from 'vitest'
import { TestClock } from '../support/clock.ts'
import { type ClientError, type Device, signUpAll } from '../support/device.ts'
import { Events, LogOut, RefreshSession, RenewConnection } from '../support/documents.ts'
import { EventLog } from '../support/event-log.ts'
import { type Node, openNode } from '../support/node.ts'

const ttlMs = 6_000
/** Tokens that have expired are noticed within this time. */
const sweepMs = 500
const clock = new TestClock()
let node: Node
let alice: Device
let bob: Device
beforeAll(async () => {
  node = await openNode({ PARLEY_ACCESS_TOKEN_TTL_S: String(ttlMs / 1_000), PARLEY_TICK_INTERVAL_MS: '100' }, clock)
})

async function freshPair(round: string): Promise<void> {
  ;[alice, bob] = (await signUpAll(node, `Alice${round}`, `Bob${round}`)) as [Device, Device]
}

/** A socket with a stream of events on it. */
function follow(device: Device): { client: Client; log: EventLog; connections: () => number } {
  const log = new EventLog()
  let connections = 0
  const client = device.socket((code, reason) => log.end({ code, reason }))
  client.on('connected', () => {
    connections += 1
  })
  client.subscribe(
    { query: print(Events), variables: {} },
    {
      next: (result) => log.take(result as never),
      error: (error) => log.fail(error),
      complete: () => log.end({ code: 1000, reason: 'complete' }),
    },
  )
  return { client, log, connections: () => connections }
}

/** Presents a token on a socket; returns the new expiry, or the code of the refusal. */
async function renew(client: Client, accessToken: string): Promise<string> {
  const results = client.iterate<{ renewConnection: { expiresAt: string } }>({
    query: print(RenewConnection),
    variables: { input: { accessToken } },
  })
  const { value } = await results.next()
  const [error] = (value?.errors ?? []) as unknown as ClientError[]
  return error?.extensions.code ?? value?.data?.renewConnection.expiresAt ?? ''
}

async function refresh(device: Device): Promise<void> {
  const { refreshSession } = await device.run(RefreshSession, { input: { refreshToken: device.refreshToken } })
  Object.assign(device, { accessToken: refreshSession.accessToken, refreshToken: refreshSession.refreshToken })
}

test('D6 a stream outlives three tokens without a new subscription, and is closed with 4602 when no fourth comes', async () => {
  await freshPair('1')
  const id = await alice.direct(bob)
  const { client, log, connections } = follow(bob)
  await log.live()
  const begun = clock.now()
  for (let round = 1; round <= 3; round += 1) {
    await clock.turn(ttlMs / 2)
    const ticks = log.seen.length
    await log.until('another tick', () => log.seen.length > ticks)
    await refresh(bob)
    expect(Date.parse(await renew(client, bob.accessToken))).toBeGreaterThan(clock.now())
  }
  await refresh(alice)
  await clock.turn(ttlMs / 2)
  await alice.send(id, 'still there')
  await log.text('still there')
  expect(log.ended).toBeNull()
  await clock.until('the end of the last token', () => log.ended !== null)
  expect(log.ended).toMatchObject({ code: 4602 })
  expect(clock.now() - begun).toBeGreaterThan(2 * ttlMs)
  expect(connections()).toBe(1)
  expect(log.seen.filter((event) => event.__typename === 'SyncStarted')).toHaveLength(1)
}, 60_000)

test('D6 a token of another user or session, or none, does not renew a socket, and the socket stays open', async () => {
  await freshPair('2')
  const { client, log } = follow(bob)
  await log.live()
  const other = await bob.another()
  expect(await renew(client, alice.accessToken)).toBe('OPERATION_REFUSED')
  expect(await renew(client, other.accessToken)).toBe('OPERATION_REFUSED')
  expect(await renew(client, 'a.b.c')).toBe('UNAUTHENTICATED')
  expect(await renew(client, '')).toBe('UNAUTHENTICATED')
  expect((await bob.refused(RenewConnection, { input: { accessToken: bob.accessToken } })).extensions.code).toBe(
    'OPERATION_REFUSED',
  )
  expect(log.ended).toBeNull()
  await clock.turn(ttlMs + sweepMs)
  expect(await log.ending()).toMatchObject({ code: 4602 })
})

test('D6 a renewed socket is closed with 4603 when its session ends, and an ended session renews nothing', async () => {
  await freshPair('3')
  const { client, log } = follow(bob)
  await log.live()
  await refresh(bob)
  await renew(client, bob.accessToken)
  const started = performance.now()
  await bob.run(LogOut, {})
  expect(await log.ending()).toMatchObject({ code: 4603 })
  expect(performance.now() - started).toBeLessThan(1_000)
})
