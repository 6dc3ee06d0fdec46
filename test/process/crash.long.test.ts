// A process that was killed or interrupted, and the next start on the same directory.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { takeDirectory } from '../../src/local/owner.ts'
import { request } from '../support/device.ts'
import * as documents from '../support/documents.ts'
import { closeAtEnd } from '../support/node.ts'
import { dataDirectory, endings, logIn, processesOn, startOn, until } from './parley.ts'

/** A directory on which several tests start one after the other; each takes over what the one before left. */
let directory: string

beforeAll(async () => {
  directory = await dataDirectory(closeAtEnd)
})

test('Ctrl-C while the first start creates its database waits for it, and exits cleanly', async () => {
  const directory = await dataDirectory()
  const first = startOn(directory)
  await until('a half-made cluster', async () => (await halfMade(directory)).length > 0)
  first.killGroup('SIGINT')
  expect(await first.ended()).toEqual(endings.ok)
  expect(first.complaints).toEqual([])
  expect(await processesOn(directory)).toEqual([])
  expect(await readdir(directory)).toEqual(['postgres', 'secrets.json'])
})

test('a process killed while it creates its database leaves nothing in the way of the next start', async () => {
  const directory = await dataDirectory()
  const first = startOn(directory)
  await until('a half-made cluster', async () => (await halfMade(directory)).length > 0)
  first.killGroup('SIGKILL')
  expect(await first.ended()).toEqual(endings.killed)
  await startOn(directory).ready()
})

/** The files with a cluster's version, in any directory below this one. */
async function halfMade(directory: string): Promise<string[]> {
  const names = await readdir(directory, { recursive: true }).catch((): string[] => [])
  return names.filter((name) => path.basename(name) === 'PG_VERSION')
}

test('after kill -9 the next start takes over the running Postgres at once, with everything acknowledged', async () => {
  const { parley, texts, ask } = await killWhileTalking()
  expect(await parley.ended()).toEqual(endings.killed)
  const [orphan] = await processesOn(directory)
  expect(orphan).toBeDefined()

  const next = startOn(directory)
  const kept = await ask((await next.ready()).url)
  expect(kept.slice(0, texts.length)).toEqual(texts)
  expect(await processesOn(directory)).not.toContain(orphan)
  next.kill('SIGTERM')
  expect(await next.ended()).toEqual(endings.ok)
})

test('after kill -9 of Parley and its Postgres the next start has everything acknowledged, even if the process id is in use again', async () => {
  const { parley, texts, ask } = await killWhileTalking()
  for (const pid of await processesOn(directory)) process.kill(pid, 'SIGKILL')
  await until('Postgres to be dead', async () => (await processesOn(directory)).length === 0)
  expect(await parley.ended()).toEqual(endings.killed)
  const stranger = bystander('postgres')
  const pidFile = path.join(directory, 'postgres', 'postmaster.pid')
  await writeFile(pidFile, (await readFile(pidFile, 'utf8')).replace(/^\d+/, String(stranger.pid)))

  const next = startOn(directory)
  expect((await ask((await next.ready()).url)).slice(0, texts.length)).toEqual(texts)
  expect(stranger.exitCode ?? stranger.signalCode).toBeNull()
})

/** Starts one, sends messages without a pause, and kills it meanwhile. */
async function killWhileTalking() {
  const parley = startOn(directory)
  const alice = await logIn(await parley.ready(), 'alice')
  const conversationId = await alice.group('Talk')
  const texts: string[] = []
  const talk = (async () => {
    for (let n = 1; ; n += 1) {
      await alice.send(conversationId, `message ${n}`)
      texts.push(`message ${n}`)
      if (n === 30) parley.kill('SIGKILL')
    }
  })()
  await expect(talk).rejects.toThrow()
  const ask = async (url: string) => {
    const { data } = await request(url, documents.History, { id: conversationId, first: 100 }, alice.accessToken)
    return data?.conversation?.messages.edges.map(({ node }) => node.text) ?? []
  }
  return { parley, texts, ask }
}

/** An unrelated process with a misleading command line. */
function bystander(word: string): ChildProcess {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', word], { stdio: 'ignore' })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

test('of two processes that start at once on a directory in which an earlier one was killed, one serves', async () => {
  const before = startOn(directory)
  await before.ready()
  before.kill('SIGKILL')
  await before.ended()

  const both = [startOn(directory), startOn(directory)]
  await until('one to be refused', () => both.some(({ ending }) => ending !== null))
  const [refused, serving] = both.toSorted((a, b) => Number(b.ending !== null) - Number(a.ending !== null))
  if (!refused || !serving) throw new Error('there are two')
  expect(refused.ending).toEqual(endings.failed)
  expect(refused.stderr).toBe(
    `PARLEY_DATA_DIR: ${directory} is in use by another Parley (process ${serving.pid}): stop it, or choose another directory\n`,
  )
  await logIn(await serving.ready(), 'alice')
  expect(await processesOn(directory)).toHaveLength(1)
})

test('of two processes that take a directory at the very same moment, one gets it, also after a killed owner', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'parley-owner-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  for (let round = 0; round < 50; round += 1) {
    const dead = { port: 1, word: `killed in round ${round}`, pid: 1 }
    if (round % 2 === 1) await writeFile(path.join(directory, 'owner.json'), JSON.stringify(dead))
    const tried = await Promise.allSettled([takeDirectory(directory), takeDirectory(directory)])
    const taken = tried.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []))
    const refused = tried.flatMap((attempt) => (attempt.status === 'rejected' ? [attempt.reason] : []))
    expect([taken.length, String(refused)]).toEqual([1, expect.stringContaining('is in use by another Parley')])
    for (const release of taken) await release()
    expect(await readdir(directory)).toEqual([])
  }
})
