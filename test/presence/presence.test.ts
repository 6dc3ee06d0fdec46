// Presence over the API, on two nodes: who is shown to which users, in which state, and how soon (P1).

import { beforeAll, expect, test } from 'vitest'
import { AcceptContact, BlockUser, RemoveContact, RequestContact, UnblockUser } from '../account/documents.ts'
import { TestClock } from '../support/clock.ts'
import { type Device, signUp, signUpAll } from '../support/device.ts'
import { LeaveConversation, LogOut, RevokeSession } from '../support/documents.ts'
import { connect, type Node, openNode, openPair } from '../support/node.ts'
import { until } from '../support/until.ts'
import { DeviceStates, Heartbeat, LookAtPeople, MembersPresence, SetLastActiveVisibility, SetPresenceMode } from './documents.ts'
import { connectDevice, watchPresence } from './watch.ts'

const ttlMs = 30_000
const clock = new TestClock()
let here: Node
let there: Node
let alice: Device
let count = 0
beforeAll(async () => {
  ;[here, there] = await openPair({}, clock)
  alice = await signUp(here, 'Alice')
})

/** A new user on the other node, in a conversation with alice. */
async function near(name: string): Promise<Device> {
  count += 1
  const device = await signUp(there, `${name}${count}`)
  await alice.direct(device)
  return device
}
const look = async (viewer: Device, ...people: Device[]) =>
  (await viewer.run(LookAtPeople, { ids: people.map(({ userId }) => userId) })).nodes.map((node) =>
    node && 'presence' in node ? (node.presence ?? null) : null,
  )

test('P1 a subscriber gets the current state of each user, then every change, on every node', async () => {
  const [bob, carol] = [await near('bob'), await near('carol')]
  const connected = await connectDevice(bob)
  await clock.until('bob to be there', async () => (await look(alice, bob))[0]?.state === 'ONLINE')
  const watch = watchPresence(alice, bob, carol, alice)
  await watch.shows(bob, 'ONLINE')
  await watch.shows(carol, 'OFFLINE')
  await watch.shows(alice, 'ONLINE') // from the very socket of this subscription
  const hers = await connectDevice(carol)
  await watch.shows(carol, 'ONLINE', 2_000)
  expect(watch.states(carol)).toEqual(['OFFLINE', 'ONLINE'])
  connected.close()
  hers.close()
  await clock.turn(ttlMs)
  await watch.shows(bob, 'OFFLINE', 5_000)
  await watch.shows(carol, 'OFFLINE', 5_000)
  expect(watch.errors).toEqual([])
})

test('P1 a user has the best state of their devices; a device is idle when it says so', async () => {
  const bob = await near('bob')
  const laptop = await bob.another(here)
  const watch = watchPresence(alice, bob)
  await watch.shows(bob, 'OFFLINE')
  const onPhone = await connectDevice(bob, bob.node.socketUrl, true)
  await watch.shows(bob, 'IDLE')
  const onLaptop = await connectDevice(laptop)
  await watch.shows(bob, 'ONLINE')
  await onLaptop.beat(true)
  await watch.shows(bob, 'IDLE')
  await onPhone.beat()
  await watch.shows(bob, 'ONLINE')
  const { sessions } = await bob.run(DeviceStates, {})
  expect(sessions.map(({ deviceName, state }) => [deviceName, state]).sort()).toEqual([
    ['Another device', 'IDLE'],
    ['Phone', 'ONLINE'],
  ])
})

test('P1 a lost socket alone makes nobody offline; the end of a session does at once', async () => {
  const bob = await near('bob')
  const watch = watchPresence(alice, bob)
  const first = await connectDevice(bob)
  await watch.shows(bob, 'ONLINE')
  first.cut()
  await clock.turn(ttlMs * 0.6) // the tunnel
  const second = await connectDevice(bob, here.socketUrl)
  await clock.turn(ttlMs)
  expect(watch.states(bob).slice(-1)).toEqual(['ONLINE'])
  expect(watch.states(bob).filter((state) => state === 'OFFLINE').length).toBeLessThanOrEqual(1)
  await bob.run(LogOut, {})
  await watch.shows(bob, 'OFFLINE', 1_000)
  second.close()
})

test('P1 any device can be ended, and is absent at once', async () => {
  const bob = await near('bob')
  const stolen = await bob.another(here, 'Stolen')
  await connectDevice(stolen)
  const watch = watchPresence(alice, bob)
  await watch.shows(bob, 'ONLINE')
  await bob.run(RevokeSession, { input: { sessionId: stolen.sessionId } })
  await watch.shows(bob, 'OFFLINE', 1_500)
  expect((await bob.run(DeviceStates, {})).sessions.map(({ deviceName }) => deviceName)).toEqual(['Phone'])
})

test('P1 over HTTP alone a heartbeat makes a device present, and any operation keeps it present', async () => {
  const bob = await near('bob')
  await bob.send(await bob.direct(alice), 'from the background')
  await clock.turn(1_000)
  expect((await look(alice, bob))[0]?.state).toBe('OFFLINE')
  const { heartbeat } = await bob.run(Heartbeat, { input: null })
  expect(heartbeat.state).toBe('ONLINE')
  expect(Date.parse(heartbeat.onlineUntil) - clock.now()).toBeGreaterThan(ttlMs - 1_000)
  await clock.until('bob to be there', async () => (await look(alice, bob))[0]?.state === 'ONLINE')
  for (const end = clock.now() + ttlMs + 1_500; clock.now() < end; ) {
    await bob.run(DeviceStates, {})
    await clock.turn(5_000)
  }
  expect((await look(alice, bob))[0]?.state).toBe('ONLINE')
  expect((await bob.run(Heartbeat, { input: { idle: true } })).heartbeat.state).toBe('IDLE')
  await clock.until('bob to be idle', async () => (await look(alice, bob))[0]?.state === 'IDLE')
  await clock.turn(ttlMs)
  await clock.until('bob to be gone', async () => (await look(alice, bob))[0]?.state === 'OFFLINE', 5_000)
})

test.each(['connects', 'sends a heartbeat'])('P1 a device that %s right after it used HTTP is present at once', async (how) => {
  const bob = await near('bob')
  await bob.send(await bob.direct(alice), 'from the background')
  await clock.turn(500)
  expect((await look(alice, bob))[0]?.state).toBe('OFFLINE')
  if (how === 'connects') await connectDevice(bob)
  else await bob.run(Heartbeat, { input: null })
  await clock.until('bob to be there', async () => (await look(alice, bob))[0]?.state === 'ONLINE', 1_000)
})

test('P1 contacts and people in the same conversation see presence; for all others it is not found', async () => {
  const bob = await near('bob')
  const stranger = await signUp(here, `Stranger${count}`)
  await connectDevice(bob)
  const refused = watchPresence(stranger, bob)
  await until('the refusal', () => refused.errors.length > 0)
  expect(refused.errors[0]?.extensions.code).toBe('NOT_FOUND')
  expect(refused.shown).toEqual([])
  expect(await look(stranger, bob)).toEqual([null])
  const mixed = watchPresence(alice, bob, stranger)
  await until('the refusal', () => mixed.errors.length > 0)
  await stranger.run(RequestContact, { input: { userId: bob.userId } })
  expect(await look(stranger, bob)).toEqual([null])
  await bob.run(AcceptContact, { input: { userId: stranger.userId } })
  const allowed = watchPresence(stranger, bob)
  await allowed.shows(bob, 'ONLINE')
  await bob.run(RemoveContact, { input: { userId: stranger.userId } })
  await allowed.shows(bob, 'OFFLINE')
  expect(allowed.of(bob).at(-1)?.lastActiveAt).toBeNull()
  expect(await look(stranger, bob)).toEqual([null])
})

test('P1 a user who leaves the only shared conversation, or blocks, is no longer seen and sees no more', async () => {
  count += 1
  const [bob, carol] = (await signUpAll(here, `Bob${count}`, `Carol${count}`)) as [Device, Device]
  const group = await alice.group('Presence', bob, carol)
  await connectDevice(bob)
  await connectDevice(carol)
  const [alices, carols] = [watchPresence(alice, bob, carol), watchPresence(carol, bob)]
  await alices.shows(bob, 'ONLINE')
  await alices.shows(carol, 'ONLINE')
  await carols.shows(bob, 'ONLINE')
  await carol.run(BlockUser, { input: { userId: bob.userId } })
  await carols.shows(bob, 'OFFLINE', 2_000)
  expect(await look(bob, carol)).toEqual([{ state: 'OFFLINE', lastActiveAt: null }])
  await carol.run(UnblockUser, { input: { userId: bob.userId } })
  await carols.shows(bob, 'ONLINE')
  await bob.run(LeaveConversation, { input: { conversationId: group } })
  await alices.shows(bob, 'OFFLINE', 2_000)
  await carols.shows(bob, 'OFFLINE', 2_000)
  const { conversation } = await alice.run(MembersPresence, { id: group })
  const states = new Map(conversation?.members.nodes.map(({ user }) => [user.username, user.presence?.state]))
  expect(states.get(carol.username)).toBe('ONLINE')
  expect(states.size).toBe(2)
})

test('P1 a user may choose do-not-disturb or invisible, and who sees their last activity', async () => {
  const bob = await near('bob')
  const watch = watchPresence(alice, bob)
  const connected = await connectDevice(bob)
  await watch.shows(bob, 'ONLINE')
  await bob.run(SetPresenceMode, { input: { presenceMode: 'DO_NOT_DISTURB' } })
  await watch.shows(bob, 'DO_NOT_DISTURB')
  const invisibleAt = clock.now()
  await bob.run(SetPresenceMode, { input: { presenceMode: 'INVISIBLE' } })
  await watch.shows(bob, 'OFFLINE')
  const [left] = await look(alice, bob)
  expect(left?.state).toBe('OFFLINE')
  expect(Math.abs(Date.parse(left?.lastActiveAt ?? '') - invisibleAt)).toBeLessThan(1_000)
  await bob.send(await bob.direct(alice), 'I am not here')
  await connected.beat()
  await clock.turn(1_000)
  expect(await look(alice, bob)).toEqual([left])
  expect((await look(bob, bob))[0]?.state).toBe('OFFLINE')
  expect((await bob.run(SetPresenceMode, { input: { presenceMode: 'AUTOMATIC' } })).setPresenceMode.cursor).not.toBeNull()
  expect((await bob.run(SetPresenceMode, { input: { presenceMode: 'AUTOMATIC' } })).setPresenceMode.cursor).toBeNull()
  await watch.shows(bob, 'ONLINE')
  const lastActive = async (viewer: Device) => (await look(viewer, bob))[0]?.lastActiveAt ?? null
  expect(await lastActive(alice)).not.toBeNull()
  await bob.run(SetLastActiveVisibility, { input: { lastActiveVisibility: 'CONTACTS' } })
  expect(await lastActive(alice)).toBeNull()
  expect(await lastActive(bob)).not.toBeNull()
  await bob.run(RequestContact, { input: { userId: alice.userId } })
  await alice.run(AcceptContact, { input: { userId: bob.userId } })
  expect(await lastActive(alice)).not.toBeNull()
  await bob.run(SetLastActiveVisibility, { input: { lastActiveVisibility: 'NOBODY' } })
  expect(await lastActive(alice)).toBeNull()
  connected.close()
})

test('P1 a flapping device shows at most one change in 5 seconds, and its final state', async () => {
  const bob = await near('bob')
  const watch = watchPresence(alice, bob)
  await watch.shows(bob, 'OFFLINE')
  const connected = await connectDevice(bob)
  await watch.shows(bob, 'ONLINE')
  const begun = clock.now()
  for (let idle = true; clock.now() - begun < 11_000; idle = !idle) {
    await connected.beat(idle)
    await clock.turn(250)
  }
  await connected.beat(true)
  await watch.shows(bob, 'IDLE')
  const changes = watch.of(bob).slice(1)
  expect(changes.length).toBeGreaterThan(2)
  const gaps = changes.slice(1).map(({ at }, i) => at - (changes[i]?.at ?? 0))
  expect(Math.min(...gaps)).toBeGreaterThan(4_500)
})

test('P1 a user who logs in and out repeatedly shows at most one change in 5 seconds', async () => {
  const bob = await near('bob')
  const watch = watchPresence(alice, bob)
  await watch.shows(bob, 'OFFLINE')
  for (let n = 0; n < 4; n += 1) {
    const device = await bob.another()
    await connectDevice(device)
    await clock.until('it to be there', async () => (await look(alice, bob))[0]?.state === 'ONLINE')
    await device.run(LogOut, {})
    await clock.until('it to be gone', async () => (await look(alice, bob))[0]?.state === 'OFFLINE')
  }
  await clock.turn(6_000)
  const gaps = watch.of(bob).slice(1)
  const pairs = gaps.slice(1).map(({ at, state }, i) => ({ ms: at - (gaps[i]?.at ?? 0), to: state }))
  // The end of a session shows at once for a user who was shown as online.
  expect(pairs.filter(({ ms, to }) => ms < 4_500 && to !== 'OFFLINE')).toEqual([])
  expect(watch.states(bob).at(-1)).toBe('OFFLINE')
})

test('P1 operations still under way when their session ends make nobody present', async () => {
  const bob = await near('bob')
  const watch = watchPresence(alice, bob)
  await watch.shows(bob, 'OFFLINE')
  const phone = await bob.another()
  await connectDevice(phone)
  await watch.shows(bob, 'ONLINE')
  const both = { query: 'mutation { logOut { sessionId } heartbeat { state } }' }
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${phone.accessToken}` }
  await fetch(phone.node.url, { method: 'POST', headers, body: JSON.stringify(both) })
  await watch.shows(bob, 'OFFLINE', 2_000)
  await clock.turn(3_000)
  expect((await look(alice, bob))[0]?.state).toBe('OFFLINE')
  expect(watch.states(bob).at(-1)).toBe('OFFLINE')
})

test('P1 reading, and connecting as idle, are not activity', async () => {
  const bob = await near('bob')
  await bob.run(Heartbeat, { input: null })
  await clock.until('bob to be there', async () => (await look(alice, bob))[0]?.state === 'ONLINE')
  const [before] = await look(alice, bob)
  await clock.turn(1_500)
  const idle = await connectDevice(await bob.another(), bob.node.socketUrl, true)
  await bob.run(DeviceStates, {})
  await clock.turn(1_000)
  // Logging in was activity; staying connected was not.
  const [after] = await look(alice, bob)
  await clock.turn(1_500)
  await bob.run(DeviceStates, {})
  expect((await look(alice, bob))[0]?.lastActiveAt).toBe(after?.lastActiveAt)
  expect(Date.parse(after?.lastActiveAt ?? '') - Date.parse(before?.lastActiveAt ?? '')).toBeLessThan(3_000)
  idle.close()
})

test('P1 a heartbeat writes nothing to Postgres; when a device is gone, its last use is stored', async () => {
  const bob = await near('bob')
  const sql = await connect(here.databaseUrl)
  const connected = await connectDevice(bob)
  const used = async () => {
    const { rows } = await sql.query<{ at: Date; version: string }>(
      `select s.last_active_at as at, s.xmin::text as version from session s join "user" u on u.id = s.user_id where u.username = $1`,
      [bob.username],
    )
    return rows[0]
  }
  // A change of a session is written within 2 s.
  await clock.turn(2_500)
  const before = await used()
  for (let i = 0; i < 100; i += 1) await connected.beat()
  const lastAt = clock.now()
  await clock.turn(2_500)
  expect(await used()).toEqual(before)
  connected.close()
  await clock.turn(ttlMs)
  await clock.until('the last use', async () => Math.abs(((await used())?.at.getTime() ?? 0) - lastAt) < 500, 5_000)
})

test('D7 a subscription follows 1 to 200 people', async () => {
  const watch = watchPresence(
    alice,
    ...Array.from({ length: 201 }, (_, i) => ({ userId: `usr_${(i + 1).toString(36).padStart(13, '0')}` })),
  )
  await until('the refusal', () => watch.errors.length > 0)
  expect(watch.errors[0]?.extensions.code).toBe('LIMIT_EXCEEDED')
  const nobody = watchPresence(alice)
  await until('the refusal', () => nobody.errors.length > 0)
  expect(nobody.errors[0]?.extensions.code).toBe('BAD_INPUT')
})

test('P1 a single process without Redis shows a device at once, removes it at once or after its time, and stores the last use', async () => {
  const single = await openNode({}, clock)
  const [viewer, bob, carol] = (await signUpAll(single, 'Viewer', 'Bob', 'Carol')) as [Device, Device, Device]
  for (const person of [bob, carol]) await viewer.direct(person)
  const begun = clock.now()
  const watch = watchPresence(viewer, bob, carol)
  for (const person of [bob, carol]) await watch.shows(person, 'OFFLINE')
  const sockets = [await connectDevice(bob), await connectDevice(carol)]
  for (const person of [bob, carol]) await watch.shows(person, 'ONLINE', 1_000)
  await bob.run(LogOut, {})
  await watch.shows(bob, 'OFFLINE', 1_000)
  sockets[1]?.cut()
  await clock.turn(ttlMs - 3_000)
  expect(watch.states(carol).at(-1)).toBe('ONLINE')
  await watch.shows(carol, 'OFFLINE', 8_000)
  const sql = await connect(single.databaseUrl)
  await clock.until('the end of both to be stored', async () => {
    const { rows } = await sql.query<{ at: Date }>('select last_active_at as at from session where last_active_at is not null')
    return rows.filter(({ at }) => at.getTime() >= begun && at.getTime() <= clock.now()).length >= 2
  })
  expect((await look(viewer, carol))[0]?.lastActiveAt).not.toBeNull()
})
