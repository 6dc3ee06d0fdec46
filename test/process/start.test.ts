// A laptop: no environment, a directory, Ctrl-C; and what can stand in the way of a start.

import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { request } from '../support/device.ts'
import * as documents from '../support/documents.ts'
import { closeAtEnd } from '../support/node.ts'
import { dataDirectory, endings, logIn, processesOn, startOn, takenPort } from './parley.ts'

/** A directory that several tests start on, one after the other, as an operator does; in whatever state it is. */
let directory: string

beforeAll(async () => {
  directory = await dataDirectory(closeAtEnd)
})

test('without any settings it brings its own Postgres, tells how to log in, ends at Ctrl-C, and keeps everything for the next start', async () => {
  const directory = await dataDirectory()
  const first = startOn(directory)
  const door = await first.ready()
  const [, password] = /Log in as alice, bob, carol, dan; the password is "(.+)"/.exec(first.stdout) ?? []
  const alice = await logIn(door, 'alice', password)
  for (const question of ['live', 'ready']) {
    expect((await fetch(new URL(`/health/${question}`, door.url))).status).toBe(200)
  }
  const { user: bob } = await alice.run(documents.FindUser, { username: 'bob' })
  const { startDirectConversation } = await alice.run(documents.StartDirectConversation, { input: { userId: bob?.id ?? '' } })
  const { id } = startDirectConversation.conversation
  await alice.send(id, 'kept')
  expect(await processesOn(directory)).toHaveLength(1)
  first.kill('SIGINT')
  expect(await first.ended()).toEqual(endings.ok)
  expect(first.complaints).toEqual([])
  expect(await processesOn(directory)).toEqual([])

  const secrets = path.join(directory, 'secrets.json')
  expect((await stat(secrets)).mode & 0o777).toBe(0o600)
  expect(JSON.parse(await readFile(secrets, 'utf8'))).toMatchObject({
    vapid: { publicKey: expect.stringMatching(/^[\w-]{87}$/), privateKey: expect.stringMatching(/^[\w-]{43}$/) },
  })
  expect(await readdir(directory)).toEqual(['postgres', 'secrets.json'])

  const second = startOn(directory)
  const { url } = await second.ready()
  const { data } = await request(url, documents.History, { id, last: 10 }, alice.accessToken)
  expect(data?.conversation?.messages.edges.map(({ node }) => node.text)).toEqual(['kept'])
  second.kill('SIGINT')
  expect(await second.ended()).toEqual(endings.ok)
})

test('Ctrl-C in a terminal, which signals the whole process group, ends it cleanly', async () => {
  const parley = startOn(directory)
  const alice = await logIn(await parley.ready(), 'alice')
  const events = await alice.events().live()
  parley.killGroup('SIGINT')
  expect((await events.ending()).code).toBe(1012)
  expect(await parley.ended()).toEqual(endings.ok)
  expect(parley.complaints).toEqual([])
  expect(await processesOn(directory)).toEqual([])
})

test('a second process on the same data directory is refused, and the first goes on', async () => {
  const first = startOn(directory)
  const door = await first.ready()
  const second = startOn(directory)
  expect(await second.ended()).toEqual(endings.failed)
  expect(second.stderr).toBe(
    `PARLEY_DATA_DIR: ${directory} is in use by another Parley (process ${first.pid}): stop it, or choose another directory\n`,
  )
  expect(second.stdout).toBe('')
  await logIn(door, 'alice')
  first.kill('SIGINT')
  expect(await first.ended()).toEqual(endings.ok)
})

test('a port in use is told, and the Postgres that was started meanwhile is ended', async () => {
  const { port } = await takenPort()
  const parley = startOn(directory, { PORT: String(port) })
  expect(await parley.ended()).toEqual(endings.failed)
  expect(parley.complaints).toEqual([`PORT: ${port} on 127.0.0.1 is in use: set PORT to another one, or stop what listens there`])
  expect(parley.stdout).toBe('')
  expect(await processesOn(directory)).toEqual([])
})

test('the data of another Postgres version is refused and left as it was', async () => {
  const directory = await dataDirectory()
  const postgres = path.join(directory, 'postgres')
  await mkdir(postgres, { recursive: true, mode: 0o755 })
  await writeFile(path.join(postgres, 'PG_VERSION'), '15\n')
  const look = async () => {
    const { mode, uid, gid, mtimeMs } = await stat(postgres)
    return { mode, uid, gid, mtimeMs, names: await readdir(postgres) }
  }
  const before = await look()
  const parley = startOn(directory)
  expect(await parley.ended()).toEqual(endings.failed)
  expect(parley.stderr).toBe(
    `PARLEY_DATA_DIR: ${postgres} was made by Postgres 15, and this Parley brings Postgres 18: move the data with pg_dump, or choose another directory\n`,
  )
  expect(await look()).toEqual(before)
  expect(await readFile(path.join(postgres, 'PG_VERSION'), 'utf8')).toBe('15\n')
})

test('files in the place of the data that are no Postgres are told of and left as they were', async () => {
  const directory = await dataDirectory()
  const postgres = path.join(directory, 'postgres')
  await mkdir(postgres, { recursive: true })
  await writeFile(path.join(postgres, 'precious.txt'), 'mine')
  const parley = startOn(directory)
  expect(await parley.ended()).toEqual(endings.failed)
  expect(parley.stderr).toBe(
    `PARLEY_DATA_DIR: ${postgres} is there and is no Postgres cluster (ENOTEMPTY): move it away, or choose another directory\n`,
  )
  expect(await readFile(path.join(postgres, 'precious.txt'), 'utf8')).toBe('mine')
})

test('a data directory that cannot be made is told without a stack trace', async () => {
  const directory = await dataDirectory()
  await writeFile(directory, 'a file')
  const parley = startOn(path.join(directory, 'below'))
  expect(await parley.ended()).toEqual(endings.failed)
  expect(parley.stderr).toMatch(/^PARLEY_DATA_DIR: .*\/below cannot be used \(ENOTDIR: [^\n]*\): choose another directory\n$/)
})
