// The backup and the restore, word for word as docs/operations.md describes them, on the oldest installed Postgres.

import { readFile } from 'node:fs/promises'
import { beforeAll, expect, test } from 'vitest'
import { expectStart } from '../journal/pair.ts'
import { PushService } from '../push/push-service.ts'
import { pushing } from '../push/support.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { type Node, openNode } from '../support/node.ts'
import { openSystemPostgres, type SystemPostgres } from '../support/system-postgres.ts'
import { until } from '../support/until.ts'

let server: SystemPostgres
/** The shell and SQL blocks of the section, in order. */
let blocks: readonly string[]
let alice: Device
let bob: Device
let node: Node
let id: string

/** A notification waits for ten minutes, so the queue is not empty when the dump is made. */
const environment = { ...pushing, PARLEY_PUSH_DELAY_MS: '600000', PARLEY_LOG_LEVEL: 'silent' }
const counts = `select (select count(*)::int from message) as messages, (select count(*)::int from graphile_worker.jobs) as jobs,
  (select count(*)::int from push_registration) as devices`
const shell = (script: string) => server.run('sh', ['-e', '-c', script.replaceAll('--username=postgres', '--username=super')])

beforeAll(async () => {
  server = await openSystemPostgres()
  const docs = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8')
  const section = /^## Backup and restore\n([\s\S]*?)^## /m.exec(docs)?.[1] ?? ''
  blocks = [...section.matchAll(/^```(?:sh|sql)\n([\s\S]*?)^```/gm)].map(([, text = '']) => text)
  await server.query('postgres', 'create role parley login')
  await server.query('postgres', 'create database parley owner parley')
  node = await openNode({ ...environment, DATABASE_URL: server.url('parley', 'parley') })
  ;[alice, bob] = (await signUpAll(node, 'Alice', 'Bob')) as [Device, Device]
  await (await PushService.open()).subscribe(bob)
  id = await alice.direct(bob)
  await alice.send(id, 'kept')
})

test("the documented dumps, by Parley's role and by another, restore everything; devices resume, or are reset", async () => {
  const [dumpAsOwner = '', createRole = '', dumpAsOther = '', restore = '', disarm = ''] = blocks
  const early = await bob.events().live()
  await until('the job of the notification', async () => Number((await server.query('parley', counts))[0]?.jobs) > 0)
  const before = await server.query('parley', counts)
  expect(before).toEqual([{ messages: 1, jobs: expect.any(Number), devices: 1 }])
  await shell(dumpAsOwner)
  await shell(restore.replaceAll('parley_restored', 'restored_by_owner'))
  expect(await server.query('restored_by_owner', counts)).toEqual(before)

  await server.query('postgres', createRole)
  await shell(dumpAsOther)
  await alice.send(id, 'lost')
  await early.text('lost')
  await shell(restore)
  expect(await server.query('parley_restored', counts)).toEqual(before)

  await server.query('parley_restored', disarm)
  const copy = await openNode({ ...environment, DATABASE_URL: server.url('parley_restored', 'parley') })
  // The restored journal ends before the last cursor, and contains the one before.
  const loginAgain = await bob.another(copy)
  const cursorOf = (text: string) =>
    early.seen.flatMap((e) => (e.__typename === 'MessageSent' && e.message.text === text ? [e.cursor] : []))[0]
  await expectStart(loginAgain.events({ after: cursorOf('lost') ?? '' }), 'RESET', 'AHEAD_OF_JOURNAL')
  const resumed = loginAgain.events({ after: early.seen.find((e) => e.__typename === 'CaughtUp')?.cursor ?? '' })
  await expectStart(resumed, 'RESUMED', null)
  const sender = await alice.another(copy)
  expect((await sender.send(id, 'after the restore')).message.seq).toBe(2)
  await resumed.text('after the restore')
  expect(await server.query('parley_restored', counts)).toEqual([{ messages: 2, jobs: 0, devices: 0 }])
})

test('the dumps that the docs warn of do what they say: one fails, the other loses the queue', async () => {
  await server.query('postgres', 'create role reader login in role pg_read_all_data')
  const dump = 'pg_dump --username=reader --format=custom --file=reader.dump parley'
  await expect(shell(dump)).rejects.toThrow('query would be affected by row-level security policy')
  await shell(`${dump} --enable-row-security`)
  await shell((blocks[3] ?? '').replaceAll('parley_restored', 'restored_by_reader').replaceAll('parley.dump', 'reader.dump'))
  expect(await server.query('restored_by_reader', counts)).toEqual([expect.objectContaining({ jobs: 0 })])
})
