// Redis and Postgres go away, freeze, and come back: what continues, what users are told, and that everything recovers by
// itself. The tests break the connections, not the servers, which other tests use.

import { randomUUID } from 'node:crypto'
import { print } from 'graphql'
import { createClient as createSseClient } from 'graphql-sse'
import { afterAll, describe, expect, inject, test } from 'vitest'
import { BlockUser, ChangePassword } from '../account/documents.ts'
import { type Device, password, signUpAll } from '../support/device.ts'
import { Events, LogOut, RemoveMember, RevokeSession, SendMessage, Viewer } from '../support/documents.ts'
import { EventLog } from '../support/event-log.ts'
import type { EventsSubscription } from '../support/generated/graphql.ts'
import { closeAtEnd, createDatabase, type Node, openNode } from '../support/node.ts'
import { openProxy } from '../support/proxy.ts'
import { until } from '../support/until.ts'

const leftAlone: unknown[] = []
process.on('unhandledRejection', (error) => leftAlone.push(error))
afterAll(() => expect(leftAlone).toEqual([]))

/** Two nodes, each with its own proxies to Redis and Postgres; alice is on the first, bob on the second. */
async function scene() {
  const databaseUrl = await createDatabase()
  const open = async () => {
    const [redis, postgres] = [await openProxy(inject('redisUrl')), await openProxy(databaseUrl)]
    const node = await openNode({ DATABASE_URL: postgres.url, REDIS_URL: redis.url, PARLEY_LOG_LEVEL: 'silent' })
    return { node, redis, postgres }
  }
  const [here, there] = [await open(), await open()]
  const [alice, bob] = (await signUpAll(here.node, 'Alice', 'Bob')) as [Device, Device]
  bob.node = there.node
  return { here, there, alice, bob }
}

/** Events over server-sent events. */
function listen(device: Device): EventLog {
  const log = new EventLog()
  const headers = () => ({ authorization: `Bearer ${device.accessToken}` })
  const client = createSseClient({ url: device.node.url, retryAttempts: 0, headers })
  closeAtEnd(async () => client.dispose())
  client.subscribe<EventsSubscription>(
    { query: print(Events), variables: {} },
    {
      next: (result) => log.take(result as never),
      error: (error) => log.end({ code: 0, reason: String(error) }),
      complete: () => log.end({ code: 1000, reason: 'complete' }),
    },
  )
  return log
}

/** The time until an end, from now. */
async function timed(act: Promise<unknown>, ...logs: readonly EventLog[]): Promise<number> {
  const started = performance.now()
  await Promise.all([act, ...logs.map((log) => log.ending())])
  return performance.now() - started
}

const at = (device: Device, node: Node) => Object.assign(device, { node })
const numbered = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `${from + i}`)

describe('with Redis gone', () => {
  test('D6 sockets and event streams of an ended session close within a second on the other node, however it ended', async () => {
    const { here, there, alice, bob } = await scene()
    here.redis.cut()
    there.redis.cut()
    const ways: [name: string, end: (device: Device) => Promise<unknown>][] = [
      ['revokeSession', (device) => at(bob, here.node).run(RevokeSession, { input: { sessionId: device.sessionId } })],
      ['logOut', (device) => at(device, here.node).run(LogOut, {})],
      [
        'changePassword',
        () =>
          at(bob, here.node).run(ChangePassword, { input: { currentPassword: password, newPassword: 'a new one altogether' } }),
      ],
    ]
    const bystander = await at(alice, there.node).events().live()
    for (const [, end] of ways) {
      const device = await bob.another(there.node)
      const logs = [await device.events().live(), await listen(device).live()]
      expect(await timed(end(device), ...logs)).toBeLessThan(1_000)
      expect(logs[0]?.ended?.code).toBe(4603)
      expect((await at(device, there.node).refused(Viewer, {})).extensions.code).toBe('SESSION_REVOKED')
    }
    expect(bystander.ended).toBeNull()
  })

  test('D6 a removed or blocked user receives that within a second on the other node, and nothing after it', async () => {
    const { here, there, alice, bob } = await scene()
    const group = await alice.group('Leaving', bob)
    const direct = await alice.direct(bob)
    here.redis.cut()
    there.redis.cut()
    const logs = [await bob.events().live(), await listen(bob).live()]
    const heard = async (name: 'MemberLeft' | 'ConversationClosed', act: Promise<unknown>) => {
      const started = performance.now()
      await Promise.all([act, ...logs.map((log) => log.first(name))])
      return performance.now() - started
    }
    const removal = alice.run(RemoveMember, { input: { conversationId: group, userId: bob.userId } })
    expect(await heard('MemberLeft', removal)).toBeLessThan(1_000)
    await alice.send(group, 'behind his back')
    expect(await heard('ConversationClosed', alice.run(BlockUser, { input: { userId: bob.userId } }))).toBeLessThan(1_000)
    const input = { conversationId: direct, clientMessageId: randomUUID(), text: 'but' }
    expect((await bob.refused(SendMessage, { input })).extensions.code).toBe('FORBIDDEN')
    const [carol] = (await signUpAll(here.node, 'Carol')) as [Device]
    await carol.send(await carol.direct(bob), 'the end')
    for (const log of logs) {
      await log.text('the end')
      expect(log.texts).toEqual(['the end'])
    }
  })

  test.each([
    ['is gone', 'cut'],
    ['is frozen', 'freeze'],
  ] as const)('D3 messages flow while Redis %s, and over Redis again when it is back', async (_what, fail) => {
    const { here, there, alice, bob } = await scene()
    const id = await alice.direct(bob)
    const log = await bob.events().live()
    for (let round = 0; round < 3; round += 1) {
      here.redis[fail]()
      if (round !== 1) there.redis[fail]()
      for (const text of numbered(round * 20, round * 20 + 10)) await alice.send(id, text)
      await log.text(`${round * 20 + 9}`)
      here.redis.restore()
      there.redis.restore()
      for (const text of numbered(round * 20 + 10, round * 20 + 20)) await alice.send(id, text)
      await log.text(`${round * 20 + 19}`)
    }
    expect(log.texts).toEqual(numbered(0, 60))
    expect(log.ended).toBeNull()
    let n = 60
    await until('an event that is quicker than any look into Postgres', async () => {
      const started = performance.now()
      n += 1
      await alice.send(id, `${n - 1}`)
      await log.text(`${n - 1}`)
      return performance.now() - started < 20
    })
    expect(log.texts).toEqual(numbered(0, n))
  })
})

describe('with Postgres gone', () => {
  test.each([
    ['frozen', 'freeze'],
    ['restarted', 'cut'],
  ] as const)(
    'D1 D3 sends fail and may be repeated while it is %s, streams stay open, and it recovers by itself',
    async (_what, fail) => {
      const { here, there, alice, bob } = await scene()
      const id = await alice.direct(bob)
      const logs = [await bob.events().live(), await at(alice, here.node).events().live()]
      await alice.send(id, '0')
      for (const log of logs) await log.text('0')
      for (const { postgres } of [here, there]) postgres[fail]()
      const input = { conversationId: id, clientMessageId: randomUUID(), text: '1' }
      const started = performance.now()
      expect((await alice.refused(SendMessage, { input })).extensions).toMatchObject({ code: 'UNAVAILABLE', retryable: true })
      expect(performance.now() - started).toBeLessThan(13_000)
      expect((await bob.refused(Viewer, {})).extensions).toMatchObject({ code: 'UNAVAILABLE', retryable: true })
      expect((await fetch(new URL('/health/ready', here.node.url))).status).toBe(503)
      for (const { postgres } of [here, there]) postgres.restore()
      await until('the repeat to be answered', async () =>
        alice.run(SendMessage, { input }).then(
          () => true,
          () => false,
        ),
      )
      await alice.send(id, '2')
      for (const log of logs) {
        await log.text('2')
        expect(log.texts).toEqual(['0', '1', '2'])
        expect(log.errors).toEqual([])
        expect(log.ended).toBeNull()
      }
      for (const { node } of [here, there]) {
        await until('the node to be ready', async () => (await fetch(new URL('/health/ready', node.url))).status === 200)
      }
    },
    60_000,
  )
})
