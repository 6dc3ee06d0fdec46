// Events over WebSocket and server-sent events: which events, in what order, and on which devices.

import { print } from 'graphql'
import { createClient as createSseClient } from 'graphql-sse'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Device, signUpAll } from '../support/device.ts'
import { AddMembers, Events, LeaveConversation, RemoveMember, RevokeSession } from '../support/documents.ts'
import { EventLog } from '../support/event-log.ts'
import type { EventsSubscription } from '../support/generated/graphql.ts'
import { closeAtEnd, connect, type Node, openNode } from '../support/node.ts'

let node: Node
let alice: Device
let bob: Device
let carol: Device

beforeAll(async () => {
  node = await openNode({ PARLEY_TICK_INTERVAL_MS: '400' })
  ;[alice, bob, carol] = (await signUpAll(node, 'Alice', 'Bob', 'Carol')) as [Device, Device, Device]
})

const names = (log: EventLog) => log.seen.map((event) => event.__typename).filter((name) => name !== 'Tick')

/** Subscribes over server-sent events. */
function eventsOverSse(device: Device, variables: { after?: string; conversationId?: string } = {}): EventLog {
  const log = new EventLog()
  const client = createSseClient({
    url: device.node.url,
    retryAttempts: 0,
    headers: () => ({ authorization: `Bearer ${device.accessToken}` }),
  })
  closeAtEnd(async () => client.dispose())
  log.stop = client.subscribe<EventsSubscription>(
    { query: print(Events), variables },
    {
      next: (result) => log.take(result as never),
      error: (error) => log.end({ code: 0, reason: String(error) }),
      complete: () => log.end({ code: 1000, reason: 'complete' }),
    },
  )
  return log
}

describe.each([
  ['WebSocket', (device: Device, variables: { after?: string; conversationId?: string } = {}) => device.events(variables)],
  ['server-sent events', eventsOverSse],
] as const)('over %s', (_transport, follow) => {
  test('D3 a stream starts, catches up, and goes live; it resumes exactly from each cursor', async () => {
    const group = await alice.group('Resume', bob)
    const first = await follow(bob).live()
    for (let i = 1; i <= 6; i += 1) await alice.send(group, `${i}`)
    await first.text('6')
    expect(names(first).slice(0, 2)).toEqual(['SyncStarted', 'CaughtUp'])
    const sent = first.seen.filter((event) => event.__typename === 'MessageSent')
    for (const [i, event] of sent.entries()) {
      const again = await follow(bob, { after: event.cursor }).live()
      expect(again.seen[0]).toMatchObject({ __typename: 'SyncStarted', mode: 'RESUMED', cursor: event.cursor })
      expect(again.texts).toEqual(['1', '2', '3', '4', '5', '6'].slice(i + 1))
      expect(await again.first('CaughtUp')).toMatchObject({ count: 5 - i })
      again.stop()
    }
    first.stop()
  })

  test('D8 a quiet stream ticks, and resumes from the cursor of a tick', async () => {
    const group = await alice.group('Quiet', bob)
    const stream = await follow(carol).live()
    await alice.send(group, 'not for carol')
    const tick = await stream.first('Tick')
    expect(names(stream)).toEqual(['SyncStarted', 'CaughtUp'])
    const resumed = await follow(carol, { after: tick.cursor }).live()
    expect(resumed.seen[0]).toMatchObject({ mode: 'RESUMED' })
    stream.stop()
  })

  test('D6 revoking the session ends the stream', async () => {
    const other = await bob.another()
    const stream = await follow(other).live()
    const started = performance.now()
    await bob.run(RevokeSession, { input: { sessionId: other.sessionId } })
    const { code } = await stream.ending()
    expect(code).not.toBe(1000)
    expect(performance.now() - started).toBeLessThan(1_000)
  })
})

describe('the audience', () => {
  test('D6 a new member receives the conversation from the join on, and a leaving one receives the leave last', async () => {
    const group = await alice.group('Come and go')
    const stream = await bob.events().live()
    const { cursor } = stream
    await alice.send(group, 'before')
    await alice.run(AddMembers, { input: { conversationId: group, userIds: [bob.userId] } })
    await alice.send(group, 'while')
    await alice.run(RemoveMember, { input: { conversationId: group, userId: bob.userId } })
    await alice.send(group, 'after')
    await alice.run(AddMembers, { input: { conversationId: group, userIds: [bob.userId] } })
    await alice.send(group, 'back')
    await bob.run(LeaveConversation, { input: { conversationId: group } })
    await alice.send(group, 'gone')
    const marker = await alice.direct(bob)
    await alice.send(marker, 'the end')
    await stream.text('the end')
    const expected = [
      'ConversationAdded',
      'MemberJoined',
      'MessageSent',
      'MemberLeft',
      'ConversationAdded',
      'MemberJoined',
      'MessageSent',
      'MemberLeft',
    ]
    expect(names(stream).slice(2, 10)).toEqual(expected)
    expect(stream.texts).toEqual(['while', 'back', 'the end'])
    const replayed = await bob.events({ after: cursor }).live()
    expect(names(replayed).slice(1, 9)).toEqual(expected)
    expect(replayed.texts).toEqual(['while', 'back', 'the end'])
  })

  test('one conversation alone on request; not for a user who was never in it', async () => {
    const [one, two] = [await alice.group('One', bob), await alice.group('Two', bob)]
    const stream = await bob.events({ conversationId: one }).live()
    await alice.send(two, 'elsewhere')
    await alice.send(one, 'here')
    await stream.text('here')
    expect(stream.texts).toEqual(['here'])
    const refused = await carol.events({ conversationId: one }).until('a refusal', (log) => log.errors.length > 0)
    expect(refused.errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }])
    const malformed = await bob.events({ conversationId: 'x' }).until('a refusal', (log) => log.errors.length > 0)
    expect(malformed.errors).toMatchObject([{ extensions: { code: 'BAD_INPUT', argument: 'conversationId' } }])
  })

  test('a caller without a token is refused, without closing the socket', async () => {
    const nobody = await signUpAll(node, 'Nobody')
    const [device] = nobody as [Device]
    device.accessToken = ''
    const log = await device.events().until('a refusal', (l) => l.errors.length > 0)
    expect(log.errors).toMatchObject([{ extensions: { code: 'UNAUTHENTICATED' } }])
    expect(await log.ending()).toEqual({ code: 1000, reason: 'complete' })
  })
})

describe('the recent log', () => {
  test('D3 facts beyond it are replayed from Postgres, in order, without a gap where the two meet', async () => {
    const small = await openNode({ PARLEY_WINDOW_FACTS_MAX: '100' })
    const [ann, ben] = (await signUpAll(small, 'Ann', 'Ben')) as [Device, Device]
    const groups = [await ann.group('one', ben), await ann.group('two'), await ann.group('three', ben)]
    const { cursor } = await ben.events().live()
    const expected: string[] = []
    for (let i = 0; i < 60; i += 1) {
      const sent = await Promise.all(groups.map((group, g) => ann.send(group, `${g}:${i}`)))
      const heard = sent.filter((_s, g) => g !== 1).sort((a, b) => (a.message.id < b.message.id ? -1 : 1))
      expected.push(...heard.map(({ message }) => message.text))
    }
    const log = ben.events({ after: cursor })
    await ann.send(groups[0] ?? '', 'live')
    expected.push('live')
    await log.text('live')
    expect(log.texts).toEqual(expected)
  })

  test('D3 a stream of one conversation replays that conversation alone', async () => {
    const small = await openNode({ PARLEY_WINDOW_FACTS_MAX: '100' })
    const [ann, ben] = (await signUpAll(small, 'Ann', 'Ben')) as [Device, Device]
    const [one, two] = [await ann.group('one', ben), await ann.group('two', ben)]
    const { cursor } = await ben.events().live()
    for (let i = 0; i < 120; i += 1) await ann.send(i % 2 ? one : two, `${i}`)
    const log = await ben.events({ after: cursor, conversationId: one }).live()
    expect(log.texts).toEqual(Array.from({ length: 60 }, (_, i) => `${2 * i + 1}`))
  })
})

describe('streams that end', () => {
  test('leave nothing behind, also when sockets are cut during silence', async () => {
    const streams = await Promise.all(Array.from({ length: 40 }, () => bob.events().live()))
    const open = () => node.app.journal.streamCount()
    expect(open()).toBeGreaterThanOrEqual(40)
    for (const [i, stream] of streams.entries()) (i % 2 ? stream.cut : stream.stop)()
    const deadline = Date.now() + 5_000
    while (open() > 10 && Date.now() < deadline) await new Promise(setImmediate)
    const sql = await connect(node.databaseUrl)
    expect((await sql.query('select count(*)::int as n from journal_request')).rows).toEqual([{ n: 0 }])
    expect(open()).toBeLessThan(10)
  })
})
