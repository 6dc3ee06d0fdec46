// The command that starts a new epoch: every cursor is refused with its reason, and running nodes notice by themselves.

import { expect, onTestFinished, test } from 'vitest'
import { expectStart } from '../journal/pair.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { createDatabase, openPair } from '../support/node.ts'
import { dataDirectory, endings, Parley, startOn } from './parley.ts'

const secret = { PARLEY_TOKEN_SECRET: 'a secret that nobody will ever guess' }
const newEpoch = (environment: Record<string, string>) => new Parley(environment, onTestFinished, 'parley', ['new-epoch'])

test('A2 resets every cursor with OTHER_EPOCH; running nodes close their streams within a second, and continue', async () => {
  const [here, there] = await openPair({ PARLEY_LOG_LEVEL: 'silent' })
  const [alice, bob] = (await signUpAll(here, 'Alice', 'Bob')) as [Device, Device]
  const id = await alice.direct(bob)
  const { cursor } = await alice.send(id, 'before')
  const streams = [await bob.events().live(), await (await bob.another(there)).events().live()]
  for (const stream of streams) if (stream.texts.length > 0) throw new Error('not live')

  const command = newEpoch({ ...secret, DATABASE_URL: here.databaseUrl })
  expect(await command.ended()).toEqual(endings.ok)
  const ended = Date.now()
  expect(command.stdout).toMatch(/^The journal has the new epoch [0-9a-f-]{36}: /)
  for (const stream of streams) expect(await stream.ending()).toMatchObject({ code: 4610 })
  expect(Date.now() - ended).toBeLessThan(1_000)
  for (const node of [here, there]) {
    bob.node = node
    const log = bob.events({ after: cursor })
    await expectStart(log, 'RESET', 'OTHER_EPOCH')
    const sent = await alice.send(id, `after ${node.url}`)
    await log.text(`after ${node.url}`)
    expect(sent.message.seq).toBe(node === here ? 2 : 3)
    await expectStart(bob.events({ after: log.cursor }), 'RESUMED', null)
  }
})

test('on a laptop it starts the embedded Postgres temporarily, and refuses while a Parley is running', async () => {
  const directory = await dataDirectory()
  const parley = startOn(directory)
  await parley.ready()
  const refused = newEpoch({ PARLEY_DATA_DIR: directory })
  expect(await refused.ended()).toEqual(endings.failed)
  expect(refused.stderr).toContain('PARLEY_DATA_DIR')
  parley.kill('SIGTERM')
  expect(await parley.ended()).toEqual(endings.ok)
  const command = newEpoch({ PARLEY_DATA_DIR: directory })
  expect(await command.ended()).toEqual(endings.ok)
  expect(command.stdout).toContain('new epoch')
})

test('refuses a database without a journal, with one sentence', async () => {
  const url = new URL(await createDatabase())
  url.pathname = '/postgres'
  const command = newEpoch({ ...secret, DATABASE_URL: url.href })
  expect(await command.ended()).toEqual(endings.failed)
  expect(command.stderr).toContain('start a node of this version on it first')
})
