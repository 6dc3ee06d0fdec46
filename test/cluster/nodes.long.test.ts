// Two nodes on one Postgres and one Redis: two App records in one process. (Two real processes: test/process.)

import { Redis } from 'ioredis'
import { describe, expect, inject, test } from 'vitest'
import { type Device, signUpAll } from '../support/device.ts'
import { AddMembers, LogOut, Viewer } from '../support/documents.ts'
import { closeAtEnd, createDatabase, openNode, openPair } from '../support/node.ts'

describe('two nodes', () => {
  test('D3 what is sent on one arrives on the other, in one order for everyone', async () => {
    const [here, there] = await openPair()
    const [alice, bob] = (await signUpAll(here, 'Alice', 'Bob')) as [Device, Device]
    const [aliceThere, bobThere] = [await alice.another(there), await bob.another(there)]
    const id = await alice.direct(bob)
    const logs = await Promise.all([alice, bob, aliceThere, bobThere].map((device) => device.events().live()))
    await Promise.all(Array.from({ length: 80 }, (_, i) => [alice, bob, aliceThere, bobThere][i % 4]?.send(id, `${i}`)))
    await alice.send(id, 'last')
    for (const log of logs) await log.text('last')
    expect(logs[0]?.texts).toHaveLength(81)
    for (const log of logs) {
      expect(log.texts).toEqual(logs[0]?.texts)
      expect(log.errors).toEqual([])
    }
  })

  test('D3 a device resumes on the other node with a cursor of the first, and with that of its own send', async () => {
    const [here, there] = await openPair()
    const [alice, bob] = (await signUpAll(here, 'Alice', 'Bob')) as [Device, Device]
    const id = await alice.direct(bob)
    const first = await bob.events().live()
    await alice.send(id, 'one')
    await first.text('one')
    first.cut()
    await alice.send(id, 'two')
    const { cursor } = await alice.send(id, 'three')
    bob.node = there
    const resumed = await bob.events({ after: first.cursor }).live()
    expect(resumed.seen[0]).toMatchObject({ mode: 'RESUMED' })
    expect(resumed.texts).toEqual(['two', 'three'])
    for (let i = 0; i < 20; i += 1) {
      const sent = await alice.send(id, `at once ${i}`)
      const ahead = await bob.events({ after: sent.cursor }).live()
      expect(ahead.seen[0]).toMatchObject({ mode: 'RESUMED' })
      ahead.stop()
    }
    expect((await bob.events({ after: cursor }).live()).texts).toHaveLength(20)
  })

  test('D6 a session ended on one node is ended on the other within a second', async () => {
    const [here, there] = await openPair()
    const [alice] = (await signUpAll(here, 'Alice')) as [Device]
    const elsewhere = await alice.another(there)
    elsewhere.node = here
    const stream = await elsewhere.events().live()
    elsewhere.node = there
    const started = performance.now()
    await elsewhere.run(LogOut, {})
    expect(await stream.ending()).toMatchObject({ code: 4603 })
    expect(performance.now() - started).toBeLessThan(1_000)
    elsewhere.node = here
    expect((await elsewhere.refused(Viewer, {})).extensions.code).toBe('SESSION_REVOKED')
  })
})

describe('without a Redis between them', () => {
  test('D3 A12 nodes follow Postgres alone: later, never wrong', async () => {
    const shared = { DATABASE_URL: await createDatabase(), REDIS_URL: 'redis://127.0.0.1:1', PARLEY_LOG_LEVEL: 'silent' }
    const [here, there] = [await openNode(shared), await openNode(shared)]
    const [alice, bob] = (await signUpAll(here, 'Alice', 'Bob')) as [Device, Device]
    bob.node = there
    const id = await alice.direct(bob)
    const stream = await bob.events().live()
    for (let i = 0; i < 50; i += 1) await alice.send(id, `${i}`)
    await stream.text('49')
    expect(stream.texts).toEqual(Array.from({ length: 50 }, (_, i) => `${i}`))
    await alice.run(LogOut, {})
    alice.node = there
    const deadline = Date.now() + 1_000
    let code = ''
    while (code !== 'SESSION_REVOKED' && Date.now() < deadline) {
      code = await alice.refused(Viewer, {}).then(
        (error) => error.extensions.code,
        () => '',
      )
    }
    expect(code).toBe('SESSION_REVOKED')
  })

  test('D3 A10 batches that Redis loses or delays are read from Postgres, and the order holds', async () => {
    const [here, there] = await openPair({ PARLEY_LOG_LEVEL: 'silent' })
    const [alice, bob] = (await signUpAll(here, 'Alice', 'Bob')) as [Device, Device]
    bob.node = there
    const id = await alice.direct(bob)
    const stream = await bob.events().live()
    const admin = new Redis(inject('redisUrl'))
    closeAtEnd(async () => admin.disconnect())
    for (let i = 0; i < 100; i += 1) {
      await alice.send(id, `${i}`)
      if (i % 10 === 0) await admin.client('KILL', 'TYPE', 'PUBSUB')
    }
    await stream.text('99')
    expect(stream.texts).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`))
  })

  test('A2 forged, broken and repeated messages on the channel change nothing', async () => {
    const [here, there] = await openPair({ PARLEY_LOG_LEVEL: 'silent', PARLEY_FOLLOW: 'full' })
    const [alice, bob] = (await signUpAll(here, 'Alice', 'Bob')) as [Device, Device]
    bob.node = there
    const id = await alice.direct(bob)
    const stream = await bob.events().live()
    const topic = here.app.journal.topic('facts')
    const admin = new Redis(inject('redisUrl'))
    // A later test breaks all subscriptions. The library does not wait for those that it repeats, and so not for their end.
    const listener = new Redis(inject('redisUrl'), { autoResubscribe: false })
    closeAtEnd(async () => [admin, listener].map((client) => client.disconnect()))
    const overheard: string[] = []
    listener.on('message', (_topic, message) => overheard.push(message))
    await listener.subscribe(topic)
    for (let i = 0; i < 30; i += 1) {
      await alice.send(id, `${i}`)
      const head = there.app.journal.head()
      const alien = {
        kind: 1,
        occurredAt: 0,
        conversationId: 1,
        userId: null,
        actorId: 1,
        subjectId: 9e6,
        audienceChange: 0,
        payload: null,
      }
      const facts = [{ ...alien, position: head.position + 1, tag: 1 }]
      for (const previousTag of [head.tag, head.tag + 1, 0]) {
        await admin.publish(topic, JSON.stringify({ previousTag, facts, rows: [] }))
      }
      await admin.publish(topic, 'rubbish')
      await admin.publish(topic, '{"facts":[{"position":"x"}]}')
      const repeated = overheard[Math.floor(overheard.length / 2)]
      if (repeated) await admin.publish(topic, repeated)
    }
    await alice.send(id, 'last')
    await stream.text('last')
    expect(stream.texts).toEqual([...Array.from({ length: 30 }, (_, i) => `${i}`), 'last'])
    expect(stream.ended).toBeNull()
    expect(there.app.bus.refused()).toBeGreaterThanOrEqual(30 * 5)
  })

  test('D6 the audience is right on a node that learns late of a join and a removal', async () => {
    const [here, there] = await openPair({ PARLEY_LOG_LEVEL: 'silent' })
    const [alice, bob] = (await signUpAll(here, 'Alice', 'Bob')) as [Device, Device]
    bob.node = there
    const group = await alice.group('Late')
    const stream = await bob.events().live()
    const admin = new Redis(inject('redisUrl'))
    closeAtEnd(async () => admin.disconnect())
    await alice.send(group, 'not yet')
    await admin.client('KILL', 'TYPE', 'PUBSUB')
    await alice.run(AddMembers, { input: { conversationId: group, userIds: [bob.userId] } })
    await alice.send(group, 'welcome')
    await stream.text('welcome')
    expect(stream.texts).toEqual(['welcome'])
    expect(stream.seen.map((event) => event.__typename)).toContain('ConversationAdded')
  })
})
