// What must not mix on one Redis: a copy of a database and the original, two installations on copies of the files, and nodes
// with different secrets.

import pg from 'pg'
import { pino } from 'pino'
import { expect, inject, test } from 'vitest'
import { deriveKeys } from '../../src/keys.ts'
import { noteKeys } from '../../src/store/token-keys.ts'
import { LookAtPeople } from '../presence/documents.ts'
import { connectDevice } from '../presence/watch.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { SetTyping, Viewer } from '../support/documents.ts'
import { createDatabase, type Node, openNode } from '../support/node.ts'
import { watchTyping } from '../support/typing.ts'
import { until } from '../support/until.ts'

const at = (device: Device, node: Node): Device => Object.assign(Object.create(device), { node }) as Device

/** A copy of a database with all rows and the epoch, like one from pg_dump. Ends the connections to the original. */
async function copyOf(databaseUrl: string): Promise<string> {
  const name = new URL(databaseUrl).pathname.slice(1)
  const admin = new pg.Client({ connectionString: inject('postgresUrl') })
  await admin.connect()
  await admin.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name])
  await admin.query(`create database ${name}_copy template ${name}`)
  await admin.end()
  return Object.assign(new URL(databaseUrl), { pathname: `/${name}_copy` }).href
}

test('B10 a copy of the database on the same Redis and the original receive nothing of each other', {
  timeout: 60_000,
}, async () => {
  const databaseUrl = await createDatabase()
  const before = await openNode({ DATABASE_URL: databaseUrl })
  const [alice, bob] = (await signUpAll(before, 'Alice', 'Bob')) as [Device, Device]
  const id = await alice.direct(bob)
  await alice.send(id, 'before the copy')
  await before.close()
  const copyUrl = await copyOf(databaseUrl)
  const production = await openNode({ DATABASE_URL: databaseUrl, REDIS_URL: inject('redisUrl') })
  // Pub/sub ignores database numbers.
  const redisUrl = Object.assign(new URL(inject('redisUrl')), { pathname: '/3' }).href
  const nodes = [production, await openNode({ DATABASE_URL: copyUrl, REDIS_URL: redisUrl })] as const

  const streams = await Promise.all(nodes.map((node) => at(bob, node).events().live()))
  const watches = nodes.map((node) => watchTyping(at(bob, node), id))
  for (const watch of watches) await watch.shows('')
  for (const [i, node] of nodes.entries()) {
    const other = nodes[1 - i] as Node
    const sender = at(alice, node)
    const connected = await connectDevice(sender)
    const presenceAt = async (where: Node) => {
      const [user] = (await at(bob, where).run(LookAtPeople, { ids: [alice.userId] })).nodes
      return user && 'presence' in user ? user.presence?.state : null
    }
    await until('alice to be there', async () => (await presenceAt(node)) === 'ONLINE')
    if (i === 0) expect(await presenceAt(other)).toBe('OFFLINE')
    await sender.run(SetTyping, { input: { conversationId: id, typing: true } })
    await watches[i]?.shows('alice')
    await sender.send(id, `at ${i}`)
    await streams[i]?.text(`at ${i}`)
    connected.close()
  }
  for (const [i, stream] of streams.entries()) {
    await at(alice, nodes[i] as Node).send(id, 'the end')
    await stream.text('the end')
    expect(stream.texts).toEqual([`at ${i}`, 'the end'])
    expect(stream.ended).toBeNull()
    expect(watches[i]?.states.filter((who) => who === 'alice')).toHaveLength(1)
    expect(await nodes[i]?.app.nodes.nodes()).toHaveLength(1)
    expect(nodes[i]?.app.bus.refused()).toBe(0)
  }
})

test('B10 PARLEY_INSTALLATION separates what Postgres cannot tell apart', async () => {
  const shared = { DATABASE_URL: await createDatabase(), REDIS_URL: inject('redisUrl') }
  const nodes = [await openNode({ ...shared, PARLEY_INSTALLATION: 'trial' }), await openNode(shared), await openNode(shared)]
  const topics = nodes.map((node) => node.app.journal.topic('facts'))
  expect(topics[0]).toMatch(/^parley:trial:/)
  expect(topics[1]).toBe(topics[2])
  await until('two to know each other', async () => (await nodes[1]?.app.nodes.nodes())?.length === 2)
  expect(await nodes[0]?.app.nodes.nodes()).toHaveLength(1)
})

test('a token secret is replaced in three rolling steps without ending a session; a token signed by no listed secret is refused', async () => {
  const [old, young] = ['the secret that is to be replaced', 'the secret that comes in its place']
  const databaseUrl = await createDatabase()
  const steps = [old, `${old},${young}`, ` ${young} , ${old} `, young]
  const nodes: Node[] = []
  for (const PARLEY_TOKEN_SECRET of steps) {
    nodes.push(await openNode({ DATABASE_URL: databaseUrl, PARLEY_TOKEN_SECRET, PARLEY_LOG_LEVEL: 'silent' }))
  }
  const [first, , , last] = nodes as [Node, Node, Node, Node]
  const people = await signUpAll(first, 'Alice')
  const devices = await Promise.all(nodes.map((node) => (people[0] as Device).another(node)))
  for (const [i, device] of devices.entries()) {
    for (const node of nodes.filter((_node, j) => Math.abs(i - j) <= 1)) await at(device, node).run(Viewer, {})
  }
  expect((await at(devices[0] as Device, last).refused(Viewer, {})).extensions.code).toBe('UNAUTHENTICATED')
  expect((await at(devices[3] as Device, first).refused(Viewer, {})).extensions.code).toBe('UNAUTHENTICATED')
})

test('nodes with different secrets on one database log it when they start', async () => {
  const { app } = await openNode()
  const said: string[] = []
  const log = pino({}, { write: (line: string) => void said.push((JSON.parse(line) as { msg: string }).msg) })
  const start = async (...secrets: string[]) => {
    said.length = 0
    await noteKeys(app.store.reader, deriveKeys(secrets), log)
    return said.join()
  }
  expect(await start('a')).toMatch(/^PARLEY_TOKEN_SECRET: .* has another secret/)
  for (const list of [['a'], ['a', 'b'], ['b', 'a'], ['b'], ['b']]) expect(await start(...list)).toBe('')
  expect(await start('c')).toMatch(/has another secret/)
  expect(await start('d', 'c')).toMatch(/this node signs with a secret that .* does not list/)
  expect(await start('c')).toMatch(/signs with a secret that this node does not list/)
})
