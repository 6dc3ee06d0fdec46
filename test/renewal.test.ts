// Tokens that end while their socket lives: a fresh one keeps it open, with all that runs on it; none closes it.

import { print } from 'graphql'
import type { Client } from 'graphql-ws'
import { beforeAll, expect, test } from 'vitest'
import { type ClientError, type Device, signUpAll } from './support/device.ts'
import { Events, LogOut, RefreshSession, RenewConnection } from './support/documents.ts'
import { EventLog } from './support/event-log.ts'
import { type Node, openNode } from './support/node.ts'

const ttlMs = 6_000
let node: Node
let alice: Device
let bob: Device
beforeAll(async () => {
  node = await openNode({ PARLEY_ACCESS_TOKEN_TTL_S: String(ttlMs / 1_000), PARLEY_TICK_INTERVAL_MS: '100' })
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

/** Presents a token on a socket; gives the end that was answered, or the code of the refusal. */
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

test('D6 a stream outlives three tokens without being asked for again, and is closed with 4602 when no fourth comes', async () => {
  await freshPair('1')
  const id = await alice.direct(bob)
  const { client, log, connections } = follow(bob)
  await log.live()
  const begun = Date.now()
  for (let round = 1; round <= 3; round += 1) {
    const ticks = log.seen.length
    await log.until(
      'a good part of the life of a token',
      () => Date.now() - begun > round * 0.5 * ttlMs && log.seen.length > ticks,
    )
    await refresh(bob)
    expect(Date.parse(await renew(client, bob.accessToken))).toBeGreaterThan(Date.now())
  }
  await refresh(alice)
  await log.until('the end of the second token', () => Date.now() - begun > 2 * ttlMs)
  await alice.send(id, 'still there')
  await log.text('still there')
  expect(log.ended).toBeNull()
  expect(await log.ending()).toMatchObject({ code: 4602 })
  expect(Date.now() - begun).toBeGreaterThan(2 * ttlMs)
  expect(connections()).toBe(1)
  expect(log.seen.filter((event) => event.__typename === 'SyncStarted')).toHaveLength(1)
}, 60_000)

test('D6 a token of another user, of another session, or none at all does not renew a socket, and the socket stays', async () => {
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
  expect(await log.ending()).toMatchObject({ code: 4602 })
})

test('D6 a socket that was renewed is closed with 4603 when its session is ended, and an ended session renews nothing', async () => {
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
