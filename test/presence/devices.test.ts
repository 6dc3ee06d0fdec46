// Several devices of one account: how they are listed, and what one of them gets after an absence.

import { beforeAll, expect, test } from 'vitest'
import { AddReaction, EditMessage } from '../law/documents.ts'
import { type Device, password, request, signUp, signUpAll } from '../support/device.ts'
import { Acknowledge, AddMembers, LogIn, RemoveMember } from '../support/documents.ts'
import { connect, type Node, openPair } from '../support/node.ts'
import { DeviceStates } from './documents.ts'
import { connectDevice } from './watch.ts'

let here: Node
let there: Node
beforeAll(async () => {
  // The nodes have a short memory, so a device that was away catches up from Postgres.
  ;[here, there] = await openPair({ PARLEY_WINDOW_FACTS_MAX: '100' })
})

test('lists each device with its name and kind, its last use, its cursor, and whether it is present', async () => {
  const alice = await signUp(here, 'Alice', 'Phone of Alice')
  const input = { username: 'alice', password, deviceName: 'Laptop', deviceKind: 'DESKTOP' as const }
  expect((await request(there.url, LogIn, { input })).errors).toEqual([])
  const group = await alice.group('Devices')
  const { cursor } = await alice.send(group, 'one')
  await alice.run(Acknowledge, { input: { cursor } })
  await alice.send(group, 'two')
  await connectDevice(alice)
  await expect
    .poll(async () => (await alice.run(DeviceStates, {})).sessions, { timeout: 5_000 })
    .toEqual([
      expect.objectContaining({
        deviceName: 'Phone of Alice',
        deviceKind: 'OTHER',
        behindBy: 1,
        state: 'ONLINE',
        isCurrent: true,
      }),
      expect.objectContaining({
        deviceName: 'Laptop',
        deviceKind: 'DESKTOP',
        behindBy: null,
        state: 'OFFLINE',
        isCurrent: false,
      }),
    ])
})

test('D3 a device that was away for a week gets exactly what it missed', async () => {
  const [bob, carol, dan] = (await signUpAll(here, 'Bob', 'Carol', 'Dan')) as [Device, Device, Device]
  const phone = await bob.another(there, 'Phone in a drawer')
  const [group, other] = [await bob.group('Busy', carol), await carol.group('Kicked', bob, dan)]
  const before = await phone.events().live()
  const first = (await carol.send(group, 'the last that the phone saw')).message
  await before.first('MessageSent')
  const after = before.cursor
  before.stop()
  await phone.run(Acknowledge, { input: { cursor: after } })

  const always = await bob.events({ after }).live()
  for (let n = 0; n < 150; n += 1) await carol.send(group, `day ${Math.floor(n / 25) + 1}, ${n}`)
  await carol.run(EditMessage, { input: { messageId: first.id, text: 'edited' } })
  await carol.run(AddReaction, { input: { messageId: first.id, emoji: '🎉' } })
  await carol.run(RemoveMember, { input: { conversationId: other, userId: bob.userId } })
  for (let n = 0; n < 50; n += 1) await carol.send(other, 'not for bob')
  await carol.run(AddMembers, { input: { conversationId: other, userIds: [bob.userId] } })
  const last = await carol.send(group, 'a week later')
  await always.until('the last message', ({ seen }) => seen.some(({ cursor }) => cursor === last.cursor))

  const sql = await connect(here.databaseUrl)
  await sql.query(
    "update fact set occurred_at = occurred_at - interval '7 days' where position < (select max(position) from fact)",
  )
  await sql.query("call journal_trim_batch('30 days', 1000000, null, null)")
  const told = (log: typeof always) =>
    log.seen.filter(({ __typename }) => !['SyncStarted', 'CaughtUp', 'Tick'].includes(__typename)).map(({ cursor }) => cursor)
  const deliveries = always.seen.filter(({ __typename }) => __typename === 'DeliveryMarkersMoved').length
  const { sessions } = await bob.run(DeviceStates, {})
  expect(sessions.find(({ deviceName }) => deviceName === 'Phone in a drawer')?.behindBy).toBe(told(always).length - deliveries)
  const back = await phone.events({ after }).live()
  expect(back.seen[0]).toMatchObject({ __typename: 'SyncStarted', mode: 'RESUMED' })
  expect(told(back)).toEqual(told(always))
  expect(told(back).length).toBeGreaterThan(150)
  expect(new Set(told(back)).size).toBe(told(back).length)
})
