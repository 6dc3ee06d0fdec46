// Several processes on one Postgres and one Redis act as one for their clients.

import { beforeAll, expect, test } from 'vitest'
import * as documents from '../support/documents.ts'
import { closeAtEnd } from '../support/node.ts'
import { at, conversationsOf, endings, logIn, Parley, type ServerAddress, sharedEnvironment } from './parley.ts'

type Running = { readonly process: Parley; readonly server: ServerAddress }

let lasting: Running
let doomed: Running
let leaving: Running

/** They start at the same moment on a fresh database. Fully configured, they need no data directory. */
beforeAll(async () => {
  const environment = await sharedEnvironment()
  const start = async () => {
    const process = new Parley(environment, closeAtEnd)
    return { process, server: await process.ready() }
  }
  ;[lasting, doomed, leaving] = await Promise.all([start(), start(), start()])
})

test('processes that start at once on an empty database seed it once', async () => {
  const alice = await logIn(lasting.server, 'alice')
  const found = await conversationsOf(alice, leaving.server)
  expect(found.map(({ title, messages }) => [title, messages.nodes.length])).toEqual([
    [null, 3],
    ['Saturday hike', 6],
  ])
})

test('a message sent on one process arrives on the other, in order, once, and a token works on both', async () => {
  const alice = await logIn(lasting.server, 'alice')
  const bob = await logIn(leaving.server, 'bob')
  const id = await alice.group('Order', bob)

  const guest = await logIn(lasting.server, 'alice')
  guest.node = at(leaving.server)
  expect(await guest.run(documents.Viewer, {})).toMatchObject({ viewer: { id: alice.userId } })

  const heard = await bob.events().live()
  const texts = numbered(1, 200)
  for (const text of texts) await alice.send(id, text)
  await heard.text('message 200')
  await bob.send(id, 'the last')
  await heard.text('the last')
  expect(heard.texts).toEqual([...texts, 'the last'])
  const messages = heard.seen.flatMap((event) => (event.__typename === 'MessageSent' ? [event] : []))
  expect(messages.map(({ message }) => message.seq)).toEqual(Array.from({ length: 201 }, (_, i) => i + 1))
  expect(new Set(messages.map(({ cursor }) => cursor)).size).toBe(201)
  expect([lasting, leaving].flatMap(({ process }) => process.complaints)).toEqual([])
})

test('a device whose process is killed resumes on the other, and misses and repeats nothing', async () => {
  const alice = await logIn(lasting.server, 'alice')
  const bob = await logIn(doomed.server, 'bob')
  const id = await alice.group('Crash', bob)
  const before = await bob.events().live()
  const texts = numbered(1, 100)
  const talk = (async () => {
    for (const text of texts) await alice.send(id, text)
  })()
  await before.text('message 20')
  doomed.process.kill('SIGKILL')
  await before.ending()
  const heardBefore = before.texts
  await talk

  bob.node = at(lasting.server)
  const after = await bob.events({ after: before.cursor }).live()
  await after.text('message 100')
  expect(after.seen[0]).toMatchObject({ __typename: 'SyncStarted', mode: 'RESUMED' })
  expect(heardBefore.length).toBeLessThan(100)
  expect([...heardBefore, ...after.texts]).toEqual(texts)
})

test('D9 SIGTERM closes the sockets with 1012, and the process exits with code 0 while the other continues', async () => {
  const alice = await logIn(lasting.server, 'alice')
  const bob = await logIn(leaving.server, 'bob')
  const id = await alice.group('Farewell', bob)
  const before = await bob.events().live()
  await alice.send(id, 'before')
  await before.text('before')
  leaving.process.kill('SIGTERM')
  expect((await before.ending()).code).toBe(1012)
  expect(await leaving.process.ended()).toEqual(endings.ok)
  expect(leaving.process.complaints).toEqual([])

  await alice.send(id, 'between')
  bob.node = at(lasting.server)
  const after = await bob.events({ after: before.cursor }).live()
  await alice.send(id, 'after')
  await after.text('after')
  expect(after.texts).toEqual(['between', 'after'])
})

const numbered = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `message ${from + i}`)
