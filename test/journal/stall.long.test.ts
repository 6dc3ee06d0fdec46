// Rule A3: a client that stops for ever at the worst moment delays the others no longer than the bound. The clients are
// processes of their own, stopped with SIGSTOP: the kernel keeps their connections open, and nobody reads from them.

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import { expect, type TestContext, test } from 'vitest'
import {
  connectAs,
  createGroup,
  createJournal,
  createUsers,
  duration,
  eventually,
  input,
  request,
  row,
  sendBatch,
} from './setup.ts'
import type { Moment } from './stalled-client.ts'

const child = fileURLToPath(new URL('stalled-client.ts', import.meta.url))
/** Nobody waits for a stopped client, or, if it holds a lock of its own, for as long as idle_in_transaction allows: 2 s. */
const bound = { ofAppends: 500, ofWhatIsLocked: 3_000 } as const

type StallSetup = { readonly databaseUrl: string; readonly client: pg.Client }

/** Two groups of one owner; positions and seqs are long numbers, so that an answer to many inputs is a long text. */
async function openSetup(): Promise<StallSetup> {
  const databaseUrl = await createJournal()
  const client = await connectAs(databaseUrl, 'test stall')
  await client.query('update journal set floor = 8000000000000000')
  await createUsers(client, [100])
  for (const id of [1, 2]) await createGroup(client, id, [100])
  await client.query('update conversation_head set last_seq = 2000000000')
  await sendBatch(client, [input(2, 100, 'warm')])
  return { databaseUrl, client }
}

type Backend = { pid: number; state: string; wait: string | null; lockIsHeld: boolean }

/** Starts a client that stops at a given moment; returns the state of its backend. The process ends with the test. */
async function stopAt(moment: Moment, { databaseUrl, client }: StallSetup, wait: string, context: TestContext): Promise<Backend> {
  const name = `test stalled ${moment}`
  const stalled = spawn(process.execPath, ['--import', 'tsx', child, moment, databaseUrl, name], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  stalled.stderr.on('data', (text) => {
    said += String(text)
  })
  const ended = new Promise((resolve) => stalled.once('exit', resolve))
  context.onTestFinished(async () => {
    stalled.kill('SIGKILL')
    await ended
  })
  const text = `select pid, state, wait_event as wait, exists (select 1 from pg_locks l where l.pid = a.pid
      and locktype = 'advisory' and classid = 7021 and objid = 1 and granted) as "lockIsHeld"
    from pg_stat_activity a where datname = current_database() and application_name = $1`
  let backend: Backend | undefined
  await eventually(
    `${moment}: ${wait} (${said})`,
    async () => {
      backend = (await client.query<Backend>(text, [name])).rows[0]
      if (stalled.exitCode !== null) throw new Error(`the client has ended: ${said}`)
      return `${backend?.state}, ${backend?.wait}` === wait
    },
    50_000,
  )
  if (!backend) throw new Error('the client has no backend')
  return backend
}

test('A3 a client that stops while the answer to its CALL is on its way delays nobody', async (context) => {
  const setup = await openSetup()
  const { client } = setup
  const backend = await stopAt('CALL sent', setup, 'active, ClientWrite', context)
  expect(await duration(() => sendBatch(client, [input(1, 100, 'mine')]))).toBeLessThan(bound.ofAppends)
  expect(backend.lockIsHeld).toBe(false)
  const { rows } = await client.query('select text from message where conversation_id = 1 order by seq')
  expect(rows).toEqual([{ text: 'text' }, { text: 'mine' }])
})

test('A3 a client that stops between the execution of its CALL and its Sync delays nobody', async (context) => {
  const setup = await openSetup()
  const { client } = setup
  const backend = await stopAt('CALL executed, no Sync sent', setup, 'active, ClientRead', context)
  await eventually(
    'its message',
    async () => (await client.query('select 1 from message where conversation_id = 1')).rowCount === 1,
  )
  expect(await duration(() => sendBatch(client, [input(1, 100, 'mine')]))).toBeLessThan(bound.ofAppends)
  expect(backend.lockIsHeld).toBe(false)
  const { rows } = await client.query('select text from message where conversation_id = 1 order by seq')
  expect(rows).toEqual([{ text: 'text' }, { text: 'mine' }])
})

test.concurrent('A3 a client that stops before its COMMIT delays no append, and other rare writes for 2 s', async (context) => {
  const setup = await openSetup()
  const { client } = setup
  const backend = await stopAt('request inserted', setup, 'idle in transaction, ClientRead', context)
  expect(backend.lockIsHeld).toBe(false)
  // Sends to the very conversation whose row the stopped client has locked, and rare writes elsewhere, continue.
  for (let i = 0; i < 20; i += 1) {
    expect(await duration(() => sendBatch(client, [input(1, 100, `meanwhile ${i}`)]))).toBeLessThan(bound.ofAppends)
    const elsewhere = { kind: 5, conversation_id: 2, actor_id: 100, subject_id: 100 }
    expect(await duration(() => request(client, [elsewhere]))).toBeLessThan(bound.ofAppends)
  }
  const other = await connectAs(setup.databaseUrl, 'test stall other')
  const waited = await duration(() => other.query('select 1 from conversation where id = 1 for no key update'))
  expect(waited).toBeLessThan(bound.ofWhatIsLocked)
  const after = await row(
    client,
    `select title, (select count(*) from fact where tag = -7) as facts from conversation where id = 1`,
  )
  expect(after).toEqual({ title: 'at first', facts: 0 })
})

test.concurrent('A3 even a client that takes the lock by hand and stops delays appends for 2 s only', async (context) => {
  const setup = await openSetup()
  const { client } = setup
  const backend = await stopAt('lock taken', setup, 'idle in transaction, ClientRead', context)
  expect(backend.lockIsHeld).toBe(true)
  const waited = await duration(() => sendBatch(client, [input(1, 100, 'mine')]))
  expect(waited).toBeLessThan(bound.ofWhatIsLocked)
  expect(waited).toBeGreaterThan(500)
})

test('A3 an interactive transaction that has made its request does not hold the lock until it commits', async () => {
  const { databaseUrl, client } = await openSetup()
  const slow = await connectAs(databaseUrl, 'test stall slow')
  const fact = { kind: 5, conversation_id: 1, actor_id: 100, subject_id: 100 }
  await slow.query('begin')
  await request(slow, [fact], -7)
  const { positions } = await sendBatch(client, [input(1, 100, 'before it')])
  await request(client, [fact], -8)
  await slow.query('commit')
  const facts = await client.query('select position, tag from fact where tag < -1 order by position')
  const [sent = 0] = positions
  expect(facts.rows).toEqual([
    { position: Number(sent) + 1, tag: -8 },
    { position: Number(sent) + 2, tag: -7 },
  ])
})
