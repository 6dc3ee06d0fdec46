// The journal is kept as long as promised and no longer (A9, B12): one node at a time trims it beside traffic, and a device
// that was away for too long gets no silent gap.

import { expect, test } from 'vitest'
import { type Device, signUpAll } from '../support/device.ts'
import { OneConversation } from '../support/documents.ts'
import type { EventLog } from '../support/event-log.ts'
import { openPair } from '../support/node.ts'
import { expectStart, quiet } from './pair.ts'
import { connectAs, createGroup, createJournal, createUsers, eventually, input, row, sendBatch } from './setup.ts'

const trimStep = `call journal_trim_batch($1::interval, $2, null, null)`
/** The messages up to a RESET. */
function sequence({ seen }: EventLog): number[] {
  const reset = seen.findIndex((event) => event.__typename === 'SyncStarted' && event.mode === 'RESET')
  const before = reset < 0 ? seen : seen.slice(0, reset)
  return before.flatMap((event) => (event.__typename === 'MessageSent' ? [event.message.seq] : []))
}

test('A9 B12 a step removes a bounded number of the oldest facts, raises the floor with them, and leaves the last fact', async () => {
  const databaseUrl = await createJournal()
  const client = await connectAs(databaseUrl, 'test retention')
  await createUsers(client, [100])
  await createGroup(client, 1, [100])
  await sendBatch(
    client,
    Array.from({ length: 20 }, (_, i) => input(1, 100, `${i}`)),
  )
  const left = 'select floor, (select min(position) from fact) as first, (select count(*) from fact) as facts from journal'
  expect(await row(client, trimStep, ['1 hour', 8])).toEqual({ removed: 0, floor: 0 })
  expect(await row(client, trimStep, ['0', 8])).toEqual({ removed: 8, floor: 8 })
  expect(await row(client, left)).toEqual({ floor: 8, first: 9, facts: 13 })
  expect(await row(client, trimStep, ['0', 500])).toEqual({ removed: 12, floor: 20 })
  expect(await row(client, trimStep, ['0', 500])).toEqual({ removed: 0, floor: 20 })
  expect(await row(client, left)).toEqual({ floor: 20, first: 21, facts: 1 })
  expect(await row(client, 'select count(*) as messages, count(distinct seq) as seqs from message')).toEqual({
    messages: 20,
    seqs: 20,
  })
  expect(await row(client, 'select count(*) as intervals from audience')).toEqual({ intervals: 1 })
  expect((await sendBatch(client, [input(1, 100, 'on')])).positions).toEqual([22])
})

test('B12 while one node trims, another leaves the work to it', async () => {
  const databaseUrl = await createJournal()
  const [client, other] = [await connectAs(databaseUrl, 'test trims'), await connectAs(databaseUrl, 'test trims too')]
  await client.query('begin')
  await client.query('select pg_try_advisory_xact_lock(7021, 3)')
  expect(await row(other, trimStep, ['0', 500])).toEqual({ removed: null, floor: null })
  await client.query('rollback')
  expect(await row(other, trimStep, ['0', 500])).toEqual({ removed: 0, floor: 0 })
})

test('D3 A9 two nodes trim under traffic: facts within the retention stay, an old cursor is reset, and there is no silent gap', async () => {
  // The nodes have a short memory, so that devices catch up from Postgres.
  const settings = { ...quiet, PARLEY_JOURNAL_RETENTION_S: '2', PARLEY_WINDOW_FACTS_MAX: '100' }
  const [here, there] = await openPair(settings)
  const [alice, bob] = (await signUpAll(here, 'Alice', 'Bob')) as [Device, Device]
  const id = await alice.group('Busy', bob)
  const bobs = [bob, await bob.another(there)]
  const first = await bob.events().live()
  const client = await connectAs(here.databaseUrl, 'test retention')
  const live = await Promise.all(bobs.map((device) => device.events({ conversationId: id }).live()))

  let sent = 0
  let isOver = false
  const aliceThere = await alice.another(there)
  const traffic = (async () => {
    while (!isOver) {
      await Promise.all([alice, alice, aliceThere, aliceThere].map((device) => device.send(id, `${sent}`)))
      sent += 4
    }
  })()
  const gaps = `select count(*)::int as lost from message m
    where m.created_at > clock_timestamp() - interval '2 s' and not exists (select 1 from fact f where f.position = m.id)`
  const shape = `select (select floor from journal) + 1 - (select min(position) from fact) as gap`

  // One stays away; another comes back repeatedly, to either node.
  const { cursor: old } = first
  let known = 0
  let mark = first.cursor
  let resumed = 0
  await eventually(
    'the old cursor to be refused',
    async () => {
      expect(await row(client, gaps)).toEqual({ lost: 0 })
      expect(await row(client, shape)).toEqual({ gap: 0 })
      const device = bobs[resumed % 2] as Device
      const log = await device.events({ after: mark, conversationId: id }).live()
      log.cut()
      await log.ending()
      resumed += 1
      const seqs = sequence(log)
      expect(log.seen[0]).toMatchObject({ mode: 'RESUMED' })
      expect(seqs).toEqual(seqs.map((_, i) => known + 1 + i))
      known = seqs.at(-1) ?? known
      mark = log.cursor
      const away = await device.events({ after: old }).live()
      away.stop()
      const [start] = away.seen
      if (start?.__typename !== 'SyncStarted' || start.mode === 'RESET') {
        expect(start).toMatchObject({ reason: 'CURSOR_TOO_OLD' })
        return true
      }
      expect(sequence(away)).toEqual(sequence(away).map((_, i) => 1 + i))
      return false
    },
    20_000,
  )
  isOver = true
  await traffic
  expect(resumed).toBeGreaterThan(1)
  for (const device of bobs) await expectStart(device.events({ after: old }), 'RESET', 'CURSOR_TOO_OLD')
  for (const log of live) {
    await log.until('everything', () => sequence(log).length === sent)
    expect(sequence(log)).toEqual(Array.from({ length: sent }, (_, i) => i + 1))
    expect(log.ended).toBeNull()
  }
  expect((await bob.run(OneConversation, { id })).conversation?.lastMessage?.seq).toBe(sent)
  await eventually('all but the last to be trimmed', async () => {
    const { facts } = await row<{ facts: number }>(client, 'select count(*)::int as facts from fact')
    return facts === 1
  })
  expect(await row(client, 'select count(*) as messages from message')).toEqual({ messages: sent })
  const resting = await bob.events({ after: live[0]?.cursor ?? null, conversationId: id })
  await expectStart(resting, 'RESUMED', null)
  expect(resting.texts).toEqual([])
})
