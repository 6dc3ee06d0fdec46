// Acknowledgements: they only move forward, show under `sessions` on all of the user's devices, are refused if no stream could
// resume from them, and cost little.

import { beforeAll, expect, test } from 'vitest'
import { positionOf } from '../../src/id.ts'
import { encodeCursor, epochKeyOf, parseCursor } from '../../src/journal/cursor.ts'
import { type Device, request, signUpAll } from '../support/device.ts'
import { Acknowledge, Devices, LogOut } from '../support/documents.ts'
import { connect, type Node, openNode, openPair } from '../support/node.ts'

let here: Node
let there: Node
let alice: Device
let bob: Device
let laptop: Device
let carol: Device

beforeAll(async () => {
  ;[here, there] = await openPair()
  ;[alice, bob, carol] = (await signUpAll(here, 'Alice', 'Bob', 'Carol')) as [Device, Device, Device]
  laptop = await bob.another(there, 'Laptop')
})

const acknowledge = async (device: Device, cursor: string) =>
  (await device.run(Acknowledge, { input: { cursor } })).acknowledge.session

/** What a device sees of a session of its user. */
async function seenBy(device: Device, { sessionId }: Device) {
  const { sessions } = await device.run(Devices, {})
  const found = sessions.find(({ id }) => id === sessionId)
  return { syncedUntil: found?.syncedUntil ?? null, behindBy: found?.behindBy ?? null }
}

test('a device acknowledges forward only, and all devices of the user see it', async () => {
  const id = await alice.direct(bob)
  const log = await bob.events().live()
  for (let i = 0; i < 5; i += 1) await alice.send(id, `${i}`)
  await log.text('4')
  const events = log.seen.filter((event) => event.__typename === 'MessageSent')
  expect(await seenBy(laptop, bob)).toEqual({ syncedUntil: null, behindBy: null })

  const [second, fourth] = [events[1], events[3]]
  expect(await acknowledge(bob, fourth?.cursor ?? '')).toEqual({
    id: bob.sessionId,
    syncedUntil: fourth?.occurredAt,
    behindBy: 1,
  })
  expect(await acknowledge(bob, second?.cursor ?? '')).toMatchObject({ syncedUntil: fourth?.occurredAt, behindBy: 1 })
  expect(await seenBy(laptop, bob)).toEqual({ syncedUntil: fourth?.occurredAt, behindBy: 1 })
  expect(await acknowledge(laptop, second?.cursor ?? '')).toMatchObject({ syncedUntil: second?.occurredAt, behindBy: 3 })
  expect(await seenBy(bob, laptop)).toEqual({ syncedUntil: second?.occurredAt, behindBy: 3 })

  // Conversations of others do not count; facts of the user do.
  const elsewhere = await alice.direct(carol)
  for (let i = 0; i < 3; i += 1) await alice.send(elsewhere, `${i}`)
  expect((await seenBy(bob, bob)).behindBy).toBe(1)
  const tablet = await bob.another(here, 'Tablet')
  await tablet.run(LogOut, {})
  expect((await seenBy(bob, bob)).behindBy).toBe(2)
  const { sessions } = await alice.run(Devices, {})
  expect(sessions.map(({ id }) => id)).toEqual([alice.sessionId])
})

test('refuses a cursor of another epoch or history, one ahead of the journal, an invalid one, and a caller without a session', async () => {
  const { cursor } = await alice.send(await alice.direct(bob), 'here')
  const { epochKey, position, tag } = parseCursor(cursor, 'cursor')
  const otherEpoch = epochKeyOf('00000000-1111-4222-8333-444444444444')
  const refused = {
    OTHER_EPOCH: encodeCursor(otherEpoch, { position, tag }),
    OTHER_HISTORY: encodeCursor(epochKey, { position, tag: tag ^ 1 }),
    AHEAD_OF_JOURNAL: encodeCursor(epochKey, { position: positionOf(position + 1_000), tag }),
  }
  for (const [reason, cursor] of Object.entries(refused)) {
    const error = await alice.refused(Acknowledge, { input: { cursor } })
    expect(error.extensions).toMatchObject({ code: 'CURSOR_REFUSED', argument: 'input.cursor', retryable: false })
    expect(error.message).toContain(reason)
  }
  const none = await alice.refused(Acknowledge, { input: { cursor: 'rubbish' } })
  expect(none.extensions).toMatchObject({ code: 'BAD_INPUT', argument: 'input.cursor' })
  const nobody = await request(here.url, Acknowledge, { input: { cursor } })
  expect(nobody.errors[0]?.extensions.code).toBe('UNAUTHENTICATED')
  expect(await seenBy(alice, alice)).toEqual({ syncedUntil: null, behindBy: null })
})

test('refuses a cursor older than the journal, and keeps an acknowledged one whose fact is trimmed', async () => {
  const node = await openNode()
  const [dan, eve] = (await signUpAll(node, 'Dan', 'Eve')) as [Device, Device]
  const id = await dan.direct(eve)
  const [old, kept] = [await dan.send(id, 'old'), await dan.send(id, 'kept')]
  const log = await dan.events().live()
  const { syncedUntil } = await acknowledge(eve, kept.cursor)
  await log.first('DeliveryMarkersMoved')
  await dan.send(id, 'last')
  await (await connect(node.databaseUrl)).query(`call journal_trim_batch('0', 500, null, null)`)
  expect(await seenBy(eve, eve)).toEqual({ syncedUntil, behindBy: 1 })
  const later = await eve.another(await openNode({ DATABASE_URL: node.databaseUrl }))
  const error = await later.refused(Acknowledge, { input: { cursor: old.cursor } })
  expect(error.extensions.code).toBe('CURSOR_REFUSED')
  expect(error.message).toContain('CURSOR_TOO_OLD')
})

test('200 concurrent acknowledgements make a few writes, and end at the furthest cursor', async () => {
  const id = await alice.direct(bob)
  const sql = await connect(here.databaseUrl)
  await sql.query(`
    create sequence acknowledgement_writes;
    create function count_write() returns trigger language plpgsql as $$ begin
      perform nextval('acknowledgement_writes'); return null; end $$;
    create trigger count_write after insert or update on acknowledgement for each row execute function count_write()`)
  const sent = await Promise.all(Array.from({ length: 20 }, (_, i) => alice.send(id, `${i}`)))
  const cursors = sent.map(({ cursor }) => cursor)
  const furthest = cursors.toSorted((a, b) => parseCursor(a, '').position - parseCursor(b, '').position).at(-1)
  const phone = await bob.another(here, 'Phone')
  await Promise.all(
    Array.from({ length: 200 }, (_, i) => acknowledge([bob, phone][i % 2] as Device, cursors[(i >> 1) % 20] ?? '')),
  )
  for (const device of [bob, phone]) expect((await seenBy(bob, device)).behindBy).toBe(0)
  expect((await acknowledge(bob, furthest ?? '')).behindBy).toBe(0)
  const { rows } = await sql.query('select last_value::int as writes from acknowledgement_writes')
  expect(rows[0].writes).toBeLessThanOrEqual(8)
})
