// Failover as it is done in practice: Patroni, etcd and HAProxy on the shipped configuration, under load from two real nodes and
// devices that resume. `npm run test:failover`; it needs the Debian packages patroni, etcd-server, python3-etcd and haproxy.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { beforeAll, expect, inject, test } from 'vitest'
import { findFreePort } from '../../src/local/postgres.ts'
import { NodeProcess } from '../chaos/node-process.ts'
import { RunRecord } from '../chaos/record.ts'
import { closeAtEnd } from '../support/node.ts'
import { until } from '../support/until.ts'
import { Load } from './load.ts'
import { type Member, PatroniCluster } from './patroni.ts'

const limit = 280_000
const repairMs = 60_000

let cluster: PatroniCluster
const record = new RunRecord()
const nodes: NodeProcess[] = []

beforeAll(async () => {
  cluster = await PatroniCluster.open()
  const directory = await mkdtemp(path.join(tmpdir(), 'parley-failover-'))
  closeAtEnd(() => rm(directory, { recursive: true, force: true }))
  for (const name of ['node 1', 'node 2']) {
    const environment = {
      DATABASE_URL: cluster.url,
      REDIS_URL: inject('redisUrl'),
      PARLEY_FOLLOW: inject('follow'),
      PARLEY_DATA_DIR: directory,
      PARLEY_TOKEN_SECRET: 'the token secret of all nodes of the failover',
      PARLEY_LOG_LEVEL: 'warn',
      PARLEY_TICK_INTERVAL_MS: '1000',
    }
    const node = new NodeProcess(name, await findFreePort(), environment, { watch: () => () => true }, record)
    await node.start()
    closeAtEnd(() => node.end('SIGKILL'))
    nodes.push(node)
  }
}, limit)

/** Waits until so many more messages were answered: the load goes on. */
async function answered(load: Load, more: number): Promise<void> {
  const before = load.answered.size
  await until(`${more} more answers`, () => load.answered.size >= before + more, repairMs)
}

/** Ends the load, and waits until every device has everything. @returns what `compare` says */
async function finish(load: Load) {
  await load.finish()
  const sql = new pg.Client({ connectionString: cluster.url })
  await sql.connect()
  try {
    const head = async () => Number((await sql.query('select max(position) as head from fact')).rows[0]?.head)
    await until(
      'every device to be at the end',
      async () => {
        const end = await head()
        return load.followers.every(({ position }) => position === end)
      },
      repairMs,
    ).catch(() => undefined)
    await Promise.all(load.followers.map((follower) => follower.stop()))
    return await load.compare(sql)
  } finally {
    await sql.end()
  }
}

const say = (text: string) => process.stdout.write(`${text}\n`)

test(
  'D1 D3 with a synchronous standby, a primary is killed and another switched over: nothing answered is lost, every device resumes',
  async () => {
    const load = await Load.open(
      nodes.map(({ name, port }) => ({ name, port })),
      ['Alice', 'Bob', 'Carol', 'Dave'],
    )
    load.start()
    await answered(load, 100)
    const first = await cluster.primary()
    const killedAt = Date.now()
    await first.kill()
    const second = await cluster.primary(first)
    say(`the primary was replaced after ${Date.now() - killedAt} ms`)
    await answered(load, 100)
    say(`killed: at most ${load.longestGapMs} ms without an answer`)
    first.start()
    await cluster.isComplete('synchronous')
    await answered(load, 100)

    load.longestGapMs = 0
    const candidate = await synchronousStandby()
    await second.call('POST', 'switchover', { leader: second.name, candidate: candidate.name })
    expect((await cluster.primary(second)).name).toBe(candidate.name)
    await answered(load, 100)
    await cluster.isComplete('synchronous')
    say(`switched over: at most ${load.longestGapMs} ms without an answer`)

    const { wrong, lost, facts } = await finish(load)
    say(`${facts} messages, ${load.answered.size} answered, ${load.followers.length} devices`)
    expect({ wrong, lost, refusals: load.refusals }).toEqual({ wrong: [], lost: [], refusals: [] })
    for (const { resets, failures } of load.followers) expect({ resets, failures }).toEqual({ resets: [], failures: [] })
    expect(record.violations).toEqual([])
  },
  limit,
)

test(
  'A2 D3 with asynchronous standbys that were behind, what was lost is told: every device that saw it is reset, also one that was away',
  async () => {
    const primary = await cluster.primary()
    await primary.call('PATCH', 'config', { synchronous_mode: false })
    await until(
      'commits to wait for nobody',
      async () => {
        const { names } = await primary.query<{ names: string }>(`select current_setting('synchronous_standby_names') as names`)
        return names === ''
      },
      repairMs,
    )
    await cluster.isComplete('replica')
    const load = await Load.open(
      nodes.map(({ name, port }) => ({ name, port })),
      ['Erin', 'Frank', 'Grace', 'Heidi'],
    )
    load.start()
    await answered(load, 100)

    const standbys = cluster.members.filter((member) => member !== primary)
    for (const standby of standbys) {
      // Its Patroni would repair this.
      standby.freeze()
      await standby.query(`alter system set primary_conninfo = ''`)
      await standby.query('select pg_reload_conf()')
    }
    for (const standby of standbys) {
      await until(`${standby.name} to be cut off`, async () => {
        const { count } = await standby.query<{ count: number }>('select count(*)::int as count from pg_stat_wal_receiver')
        return count === 0
      })
    }
    await answered(load, 50)
    // Every device has seen something that will be lost.
    const { head } = await primary.query<{ head: number }>('select max(position)::int as head from fact')
    await until('every device to see it', () => load.followers.every(({ position }) => position >= head))
    const [away] = load.followers
    await away?.stop()
    const killedAt = Date.now()
    await primary.kill()
    for (const standby of standbys) {
      await standby.query('alter system reset primary_conninfo')
      await standby.query('select pg_reload_conf()')
      standby.thaw()
    }
    await cluster.primary(primary)
    say(`the primary was replaced after ${Date.now() - killedAt} ms`)
    await answered(load, 200)
    primary.start()
    await cluster.isComplete('replica')
    await answered(load, 100)
    // It was away all the time, and its position has another fact by now.
    away?.comeBack()
    await until('the device that was away to be told', () => away?.resets.length === 1)
    expect(away?.resets).toEqual(['OTHER_HISTORY'])

    const { wrong, lost, facts } = await finish(load)
    const resets = load.followers.flatMap((follower) => follower.resets)
    say(`${facts} messages, ${load.answered.size} answered, ${lost.length} of them lost, RESET: ${resets.join(', ')}`)
    expect({ wrong, refusals: load.refusals }).toEqual({ wrong: [], refusals: [] })
    // Otherwise the run proves nothing.
    expect(lost.length).toBeGreaterThan(0)
    for (const { name, resets, failures } of load.followers) {
      expect(resets.length, name).toBeGreaterThan(0)
      for (const reason of resets) expect(['OTHER_HISTORY', 'AHEAD_OF_JOURNAL']).toContain(reason)
      expect(failures).toEqual([])
    }
    expect(record.violations).toEqual([])
  },
  limit,
)

/** The standby that commits wait for. */
async function synchronousStandby(): Promise<Member> {
  for (const member of cluster.members) if (await member.isRole('synchronous')) return member
  throw new Error('no synchronous standby')
}
