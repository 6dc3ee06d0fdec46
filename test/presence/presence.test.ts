// Presence through the door, on two nodes: who is seen by whom, as what, and how soon (P1).

import { setTimeout as delay } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { AcceptContact, BlockUser, RemoveContact, RequestContact, UnblockUser } from '../people/documents.ts'
import { type Device, signUp, signUpAll } from '../support/device.ts'
import { LeaveConversation, LogOut, RevokeSession } from '../support/documents.ts'
import { connect, type Node, openPair } from '../support/node.ts'
import { until } from '../support/until.ts'
import { DeviceStates, Heartbeat, LookAtPeople, MembersPresence, SetLastActiveVisibility, SetPresenceMode } from './documents.ts'
import { connectDevice, watchPresence } from './watch.ts'

const ttlMs = 5_000
let here: Node
let there: Node
let alice: Device
let count = 0
beforeAll(async () => {
  ;[here, there] = await openPair({ PARLEY_PRESENCE_TTL_S: String(ttlMs / 1_000) })
  alice = await signUp(here, 'Alice')
})

/** Somebody new, at the other node, in a conversation with alice. */
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

test.concurrent('P1 whoever follows sees each as they are, then every change, on every node', async () => {
  const [bob, carol] = [await near('bob'), await near('carol')]
  const connected = await connectDevice(bob)
  await until('bob to be there', async () => (await look(alice, bob))[0]?.state === 'ONLINE')
  const watch = watchPresence(alice, bob, carol, alice)
  await watch.shows(bob, 'ONLINE')
  await watch.shows(carol, 'OFFLINE')
  await watch.shows(alice, 'ONLINE') // by the very socket that asks
  const hers = await connectDevice(carol)
  await watch.shows(carol, 'ONLINE', 2_000)
  expect(watch.states(carol)).toEqual(['OFFLINE', 'ONLINE'])
  connected.close()
  hers.close()
  await watch.shows(bob, 'OFFLINE', ttlMs + 5_000)
  await watch.shows(carol, 'OFFLINE', ttlMs + 5_000)
  expect(watch.errors).toEqual([])
})

test.concurrent('P1 a user is the best of their devices; a device is idle when it says so', async () => {
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

test.concurrent('P1 a lost socket alone makes nobody offline; the end of a session does at once', async () => {
  const bob = await near('bob')
  const watch = watchPresence(alice, bob)
  const first = await connectDevice(bob)
  await watch.shows(bob, 'ONLINE')
  first.cut()
  await delay(ttlMs * 0.6) // the tunnel
  const second = await connectDevice(bob, here.socketUrl)
  await delay(ttlMs)
  expect(watch.states(bob).slice(-1)).toEqual(['ONLINE'])
  expect(watch.states(bob).filter((state) => state === 'OFFLINE').length).toBeLessThanOrEqual(1)
  await bob.run(LogOut, {})
  await watch.shows(bob, 'OFFLINE', 1_000)
  second.close()
})

test.concurrent('P1 any of the devices can be ended, and is gone at once', async () => {
  const bob = await near('bob')
  const stolen = await bob.another(here, 'Stolen')
  await connectDevice(stolen)
  const watch = watchPresence(alice, bob)
  await watch.shows(bob, 'ONLINE')
  await bob.run(RevokeSession, { input: { sessionId: stolen.sessionId } })
  await watch.shows(bob, 'OFFLINE', 1_500)
  expect((await bob.run(DeviceStates, {})).sessions.map(({ deviceName }) => deviceName)).toEqual(['Phone'])
})

test.concurrent('P1 over HTTP alone a heartbeat brings a device there, and any operation keeps it there', async () => {
  const bob = await near('bob')
  await bob.run(DeviceStates, {})
  expect((await look(alice, bob))[0]?.state).toBe('OFFLINE')
  const { heartbeat } = await bob.run(Heartbeat, { input: null })
  expect(heartbeat.state).toBe('ONLINE')
  expect(Date.parse(heartbeat.onlineUntil) - Date.now()).toBeGreaterThan(ttlMs - 1_000)
  await until('bob to be there', async () => (await look(alice, bob))[0]?.state === 'ONLINE')
  for (const end = Date.now() + ttlMs + 1_500; Date.now() < end; ) {
    await bob.run(DeviceStates, {})
    await delay(300)
  }
  expect((await look(alice, bob))[0]?.state).toBe('ONLINE')
  expect((await bob.run(Heartbeat, { input: { idle: true } })).heartbeat.state).toBe('IDLE')
  await until('bob to be idle', async () => (await look(alice, bob))[0]?.state === 'IDLE')
  await until('bob to be gone', async () => (await look(alice, bob))[0]?.state === 'OFFLINE', ttlMs + 5_000)
})

test.concurrent('P1 presence is for contacts and for people who share a conversation; everybody else is not found', async () => {
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

test.concurrent('P1 who leaves the only conversation, or blocks, is no longer seen, and sees no more', async () => {
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

test.concurrent('P1 one may want not to be disturbed, or be seen; and say who may know when one was there', async () => {
  const bob = await near('bob')
  const watch = watchPresence(alice, bob)
  const connected = await connectDevice(bob)
  await watch.shows(bob, 'ONLINE')
  await bob.run(SetPresenceMode, { input: { presenceMode: 'DO_NOT_DISTURB' } })
  await watch.shows(bob, 'DO_NOT_DISTURB')
  const invisibleAt = Date.now()
  await bob.run(SetPresenceMode, { input: { presenceMode: 'INVISIBLE' } })
  await watch.shows(bob, 'OFFLINE')
  const [left] = await look(alice, bob)
  expect(left?.state).toBe('OFFLINE')
  expect(Math.abs(Date.parse(left?.lastActiveAt ?? '') - invisibleAt)).toBeLessThan(1_000)
  await bob.send(await bob.direct(alice), 'I am not here')
  await connected.beat()
  await delay(1_000)
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

test.concurrent('P1 a device that flaps is shown to change once in 5 seconds at most, and as it is in the end', async () => {
  const bob = await near('bob')
  const watch = watchPresence(alice, bob)
  await watch.shows(bob, 'OFFLINE')
  const connected = await connectDevice(bob)
  await watch.shows(bob, 'ONLINE')
  const begun = Date.now()
  for (let idle = true; Date.now() - begun < 11_000; idle = !idle) await connected.beat(idle)
  await connected.beat(true)
  await watch.shows(bob, 'IDLE')
  const changes = watch.of(bob).slice(1)
  const gaps = changes.slice(1).map(({ at }, i) => at - (changes[i]?.at ?? 0))
  expect(Math.min(...gaps)).toBeGreaterThan(4_500)
})

test.concurrent('P1 who logs in and out again and again is shown to change once in 5 seconds at most', async () => {
  const bob = await near('bob')
  const watch = watchPresence(alice, bob)
  await watch.shows(bob, 'OFFLINE')
  for (let n = 0; n < 4; n += 1) {
    const device = await bob.another()
    await connectDevice(device)
    await until('it to be there', async () => (await look(alice, bob))[0]?.state === 'ONLINE')
    await device.run(LogOut, {})
    await until('it to be gone', async () => (await look(alice, bob))[0]?.state === 'OFFLINE')
  }
  await delay(6_000)
  const gaps = watch.of(bob).slice(1)
  const pairs = gaps.slice(1).map(({ at, state }, i) => ({ ms: at - (gaps[i]?.at ?? 0), to: state }))
  // The end of a session is shown at once, where somebody was shown as there.
  expect(pairs.filter(({ ms, to }) => ms < 4_500 && to !== 'OFFLINE')).toEqual([])
  expect(watch.states(bob).at(-1)).toBe('OFFLINE')
})

test.concurrent('P1 what is still under way of a session that ends brings nobody back', async () => {
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
  await delay(3_000)
  expect((await look(alice, bob))[0]?.state).toBe('OFFLINE')
  expect(watch.states(bob).at(-1)).toBe('OFFLINE')
})

test.concurrent('P1 to look, or to connect with nobody at the device, is not to be active', async () => {
  const bob = await near('bob')
  await bob.run(Heartbeat, { input: null })
  await until('bob to be there', async () => (await look(alice, bob))[0]?.state === 'ONLINE')
  const [before] = await look(alice, bob)
  await delay(1_500)
  const idle = await connectDevice(await bob.another(), bob.node.socketUrl, true)
  await bob.run(DeviceStates, {})
  await delay(1_000)
  // Logging in was an act; to be there since then was none.
  const [after] = await look(alice, bob)
  await delay(1_500)
  await bob.run(DeviceStates, {})
  expect((await look(alice, bob))[0]?.lastActiveAt).toBe(after?.lastActiveAt)
  expect(Date.parse(after?.lastActiveAt ?? '') - Date.parse(before?.lastActiveAt ?? '')).toBeLessThan(3_000)
  idle.close()
})

test.concurrent('P1 a heartbeat writes nothing to Postgres; when a device is gone, its last use is kept', async () => {
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
  await until('the use to be noted', async () => (await used())?.version !== undefined)
  // What is written of a session comes within 2 s.
  await delay(2_500)
  const before = await used()
  for (let i = 0; i < 100; i += 1) await connected.beat()
  const lastAt = Date.now()
  await delay(2_500)
  expect(await used()).toEqual(before)
  connected.close()
  await until('the last use', async () => Math.abs(((await used())?.at.getTime() ?? 0) - lastAt) < 500, ttlMs + 5_000)
})

test.concurrent('D7 one subscription follows 200 people at most, and somebody', async () => {
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
