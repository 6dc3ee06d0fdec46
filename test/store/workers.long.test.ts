// The workers of jobs when Postgres goes away under them: no job is lost, none stays locked, and it is no fault of Parley.

import { Writable } from 'node:stream'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { openStore } from '../../src/store/store.ts'
import { openWorkers } from '../../src/store/workers.ts'
import { type Break, FaultyProxy } from '../support/faulty-proxy.ts'
import { closeAtEnd, connect, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'

/** Longer than the silence after which other workers take over what a lost worker had locked. */
const takenOverMs = 60_000

const points = [
  ['fetches a job', 'get_job'],
  ['runs one', 'select 1 as running'],
  ['completes one', 'complete_job'],
  ['records that one failed', 'fail_job'],
] as const
const cases = points.flatMap(([when, text]) => (['RESET', 'END'] as const).map((how) => [when, how, text] as const))

test.concurrent.each<readonly [string, Break, string]>(cases)(
  'a worker that loses Postgres while it %s (%s) does that job and the next one',
  { timeout: takenOverMs + 30_000 },
  async (when, how, text) => {
    const node = await openNode()
    const sql = await connect(node.databaseUrl)
    const proxy = await FaultyProxy.open(node.databaseUrl)
    const lines: string[] = []
    const into = new Writable({
      write: (chunk, _encoding, done) => {
        lines.push(String(chunk))
        done()
      },
    })
    const log = pino({ level: 'error' }, into)
    const store = openStore(proxy.url, 3, log)
    closeAtEnd(() => store.close())
    const done: string[] = []
    let failuresLeft = when === 'records that one failed' ? 1 : 0
    const tasks = {
      async cut_test(payload: unknown) {
        await store.jobs.pool.query('select 1 as running')
        if (failuresLeft-- > 0) throw new Error('the first attempt')
        done.push((payload as { name: string }).name)
      },
    }
    const workers = openWorkers({ store, log }, { tasks, concurrency: 1 })
    closeAtEnd(() => workers.close())
    const add = (name: string) =>
      sql.query("select graphile_worker.add_job('cut_test', json_build_object('name', $1::text))", [name])
    await until('a heartbeat', () => workers.isHeld())

    await add('first')
    await proxy.waitFor(text)
    await proxy.cut(how)
    await until('the job to be done', () => done.includes('first'), takenOverMs)
    await add('second')
    await until('the next one to be done', () => done.includes('second'), takenOverMs)
    const left = async () => (await sql.query("select 1 from graphile_worker.jobs where task_identifier = 'cut_test'")).rowCount
    await until('both to be removed', async () => (await left()) === 0, takenOverMs)
    expect(done.at(-1)).toBe('second')
    expect(lines.filter((line) => !line.includes('the first attempt'))).toEqual([])
  },
)

test('workers that close while they lose Postgres leave no error behind', async () => {
  const node = await openNode()
  const proxy = await FaultyProxy.open(node.databaseUrl)
  const store = openStore(proxy.url, 3, pino({ level: 'silent' }))
  closeAtEnd(() => store.close())
  const workers = openWorkers(
    { store, log: pino({ level: 'silent' }) },
    { tasks: { idle_test: async () => undefined }, concurrency: 1 },
  )
  await proxy.waitFor('LISTEN "jobs:insert"')
  // Vitest reports what nobody catches.
  const closing = workers.close()
  await proxy.cut('RESET')
  await closing
})
