// On a laptop: no environment, a directory, Ctrl-C; and the obstacles to a start.

import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import { request } from '../support/device.ts'
import * as documents from '../support/documents.ts'
import { closeAtEnd } from '../support/node.ts'
import { conversationsOf, dataDirectory, endings, logIn, processesOn, startOn, takenPort } from './parley.ts'

const run = promisify(execFile)

/** A directory on which several tests start one after the other, like an operator; in any state. */
let directory: string

beforeAll(async () => {
  directory = await dataDirectory(closeAtEnd)
})

test('without any settings it brings its own Postgres, says how to log in, exits at Ctrl-C, and keeps everything for the next start', async () => {
  const directory = await dataDirectory()
  const first = startOn(directory)
  const server = await first.ready()
  const [, password] = /Log in as alice, bob, carol, dan; the password is "(.+)"/.exec(first.stdout) ?? []
  const alice = await logIn(server, 'alice', password)
  for (const question of ['live', 'ready']) {
    expect((await fetch(new URL(`/health/${question}`, server.url))).status).toBe(200)
  }
  const { port } = new URL(server.url)
  // The health check of the image.
  const isReady = fileURLToPath(new URL('../../deploy/is-ready.sh', import.meta.url))
  await run('bash', [isReady], { env: { PORT: port, HOST: '0.0.0.0' } })
  // There is something to see before anyone has done anything.
  expect(first.stdout).toMatch(/^The database was set up\.\nParley is ready\.\n/)
  const found = await conversationsOf(alice, server)
  expect(found.map(({ title, unreadCount, mentionCount }) => [title, unreadCount, mentionCount])).toEqual([
    [null, 1, 0],
    ['Saturday hike', 2, 1],
  ])
  const messages = found.flatMap((conversation) => conversation.messages.nodes)
  expect(new Set(messages.map(({ sender }) => sender.username))).toEqual(new Set(['alice', 'bob', 'carol', 'dan']))
  expect(messages.filter(({ replyTo }) => replyTo).length).toBeGreaterThan(0)
  expect(messages.flatMap(({ reactions }) => reactions.map(({ emoji }) => emoji)).toSorted()).toEqual(
    ['❤️', '👍', '🎉'].toSorted(),
  )
  const id = await alice.group('Mine')
  await alice.send(id, 'kept')
  expect(await processesOn(directory)).toHaveLength(1)
  first.kill('SIGINT')
  expect(await first.ended()).toEqual(endings.ok)
  await expect(run('bash', [isReady], { env: { PORT: port } })).rejects.toMatchObject({ code: 1 })
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
  expect(second.stdout).toMatch(/^Parley is ready\.\n/)
  const kept = (await conversationsOf(alice, { url })).filter(({ title }) => title !== 'Mine')
  expect(kept).toEqual(found)
  second.kill('SIGINT')
  expect(await second.ended()).toEqual(endings.ok)
})

test('npm start builds what has changed, and starts at once if nothing has', async () => {
  const project = path.join(path.dirname(directory), 'project')
  const root = fileURLToPath(new URL('../..', import.meta.url))
  for (const place of ['src', 'client/src', 'web']) await mkdir(path.join(project, place), { recursive: true })
  for (const name of ['scripts', 'prisma', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'prisma.config.ts']) {
    await cp(path.join(root, name), path.join(project, name), { recursive: true })
  }
  await symlink(path.join(root, 'node_modules'), path.join(project, 'node_modules'))
  const { prestart } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')).scripts
  const notes = (word: string) => `echo ${word} >> built`
  const steps = { generate: notes('generate'), 'build:page': notes('page'), 'build:server': notes('server') }
  const scripts = { prestart, start: 'echo started', ...steps }
  const writeScripts = (more: object) =>
    writeFile(path.join(project, 'package.json'), JSON.stringify({ type: 'module', scripts: { ...scripts, ...more } }))
  const start = async () => {
    await rm(path.join(project, 'built'), { force: true })
    const { stdout } = await run('npm', ['start', '--silent'], { cwd: project })
    const built = await readFile(path.join(project, 'built'), 'utf8').catch(() => '')
    return { said: stdout.split('\n')[0], built: built.trim().split('\n').join(' ') }
  }
  await writeScripts({})
  await writeFile(path.join(project, 'src/a.ts'), '1')
  const all = 'generate page server'
  expect(await start()).toEqual({ said: expect.stringMatching(/^Building Parley for the first time/), built: all })
  expect(await start()).toEqual({ said: 'Starting Parley …', built: '' })
  await writeFile(path.join(project, 'src/a.ts'), '2')
  const changed = { said: expect.stringMatching(/because something has changed/), built: all }
  expect(await start()).toEqual(changed)
  expect(await start()).toEqual({ said: 'Starting Parley …', built: '' })
  // A failed build does not count.
  await writeFile(path.join(project, 'src/b.ts'), 'new')
  await writeScripts({ 'build:server': 'exit 3' })
  await expect(start()).rejects.toMatchObject({ code: 3 })
  await writeScripts({})
  expect(await start()).toMatchObject({ built: all })
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

test('refuses a second process on the same data directory, and the first continues', async () => {
  const first = startOn(directory)
  const server = await first.ready()
  const second = startOn(directory)
  expect(await second.ended()).toEqual(endings.failed)
  expect(second.stderr).toBe(
    `PARLEY_DATA_DIR: ${directory} is in use by another Parley (process ${first.pid}): stop it, or choose another directory\n`,
  )
  expect(second.stdout).toBe('')
  await logIn(server, 'alice')
  first.kill('SIGINT')
  expect(await first.ended()).toEqual(endings.ok)
})

test('reports a port in use, and stops the Postgres that it has started', async () => {
  const { port } = await takenPort()
  const parley = startOn(directory, { PORT: String(port) })
  expect(await parley.ended()).toEqual(endings.failed)
  expect(parley.complaints).toEqual([`PORT: ${port} on 127.0.0.1 is in use: choose another PORT, or stop what listens there`])
  expect(parley.stdout).toBe('')
  expect(await processesOn(directory)).toEqual([])
})

test('refuses the data of another Postgres version, and leaves it as it was', async () => {
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
    `PARLEY_DATA_DIR: ${postgres} was created by Postgres 15, but this Parley comes with Postgres 18: move the data with pg_dump, or choose another directory\n`,
  )
  expect(await look()).toEqual(before)
  expect(await readFile(path.join(postgres, 'PG_VERSION'), 'utf8')).toBe('15\n')
})

test('refuses files in place of the data that are no Postgres, and leaves them as they were', async () => {
  const directory = await dataDirectory()
  const postgres = path.join(directory, 'postgres')
  await mkdir(postgres, { recursive: true })
  await writeFile(path.join(postgres, 'precious.txt'), 'mine')
  const parley = startOn(directory)
  expect(await parley.ended()).toEqual(endings.failed)
  expect(parley.stderr).toBe(
    `PARLEY_DATA_DIR: ${postgres} exists but is not a Postgres cluster (ENOTEMPTY): move it away, or choose another directory\n`,
  )
  expect(await readFile(path.join(postgres, 'precious.txt'), 'utf8')).toBe('mine')
})

test('reports a data directory that cannot be created, without a stack trace', async () => {
  const directory = await dataDirectory()
  await writeFile(directory, 'a file')
  const parley = startOn(path.join(directory, 'below'))
  expect(await parley.ended()).toEqual(endings.failed)
  expect(parley.stderr).toMatch(/^PARLEY_DATA_DIR: .*\/below cannot be used \(ENOTDIR: [^\n]*\): choose another directory\n$/)
})
