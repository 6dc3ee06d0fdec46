// The bench of following: `npx tsx bench/followers.ts [--followers 1,2,4,8] [--rates 20,200,2000] [--seconds 20]`. One node appends messages in 100 conversations at a fixed rate; 1, 2, 4
// and 8 others follow, and one more hears a conversation. Compares PARLEY_FOLLOW=full and =digest: what leaves Redis for each fact and
// node, the CPU of a node that does not hear, and the time from a send to the hearing node. Those that do not hear only follow: they
// have no search index and no notifications, which one node does for all in either way. It brings its own Postgres and Redis
// (`redis-server`), ends by itself, and prints a table.

import { fork, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import pg from 'pg'
import { openApp } from '../src/app.ts'
import { openRedisBus } from '../src/bus/redis.ts'
import { redisWords } from '../src/bus/redis-faults.ts'
import { createSeal } from '../src/bus/seal.ts'
import { systemClock } from '../src/clock.ts'
import { readConfig } from '../src/config/read-config.ts'
import { conversationKinds } from '../src/conversation/events.ts'
import { factKinds } from '../src/features.ts'
import { conversationIdOf, userIdOf } from '../src/id.ts'
import { type Journal, openJournal } from '../src/journal/journal.ts'
import { deriveKeys } from '../src/keys.ts'
import { findFreePort, startPostgres } from '../src/local/postgres.ts'
import { openLog } from '../src/log/log.ts'
import { Outage } from '../src/log/outage.ts'
import { RepeatLog } from '../src/log/repeats.ts'
import { type SendInput, sendProcedure } from '../src/message/send.ts'
import { openStore } from '../src/store/store.ts'

const log = openLog('error', 'bench')
const tokenSecrets = 'the token secret of the whole of the bench'
const say = (line: string) => process.stdout.write(`${line}\n`)

/** What a follower reports: its CPU in microseconds, its position, and the delays of the messages that it heard, in milliseconds. */
type FollowerReport = { readonly cpuUs: number; readonly position: number; readonly delaysMs: readonly number[] }
type FollowerSetup = { readonly environment: Record<string, string>; readonly hears: boolean }

async function openNode(environment: Record<string, string>) {
  const foundation = {
    databaseUrl: environment.DATABASE_URL ?? '',
    tokenSecrets,
    vapid: null,
  }
  return openApp(readConfig({ NODE_ENV: 'test', ...environment }), foundation, log)
}

/** A node that does nothing but follow. */
async function openFollowing(environment: Record<string, string>): Promise<{ journal: Journal; close(): Promise<void> }> {
  const config = readConfig({ NODE_ENV: 'test', ...environment })
  if (config.redis === null) throw new Error('a follower needs Redis')
  const repeats = new RepeatLog(log)
  const store = openStore(environment.DATABASE_URL ?? '', config.journal.appendLanes, log)
  const outage = new Outage(log, redisWords)
  const bus = openRedisBus(config.redis, createSeal(deriveKeys(tokenSecrets)), systemClock, outage, log, repeats)
  const journal = await openJournal(store, bus, config.journal, factKinds, log, repeats)
  const close = async () => {
    for (const part of [journal, outage, bus, store, repeats]) await part.close()
  }
  return { journal, close }
}

/** A follower in a process of its own. User 1, who hears, is in conversation 1. */
async function follow({ environment, hears }: FollowerSetup): Promise<void> {
  const app = hears ? await openNode(environment) : await openFollowing(environment)
  let delaysMs: number[] = []
  if (hears) {
    const request = { userId: userIdOf(1), after: null, conversationId: null, onAbandoned: (reason: string) => say(reason) }
    const stream = await app.journal.openStream(request)
    stream?.start({
      take(item) {
        const text = item.type === 'fact' ? (item.row as { text?: string } | undefined)?.text : undefined
        if (text !== undefined) delaysMs.push(Date.now() - Number(text.slice(0, text.indexOf(' '))))
        return true
      },
      ended: () => undefined,
    })
  }
  process.on('message', (what) => {
    if (what === 'end') void app.close().then(() => process.exit(0))
    const { user, system } = process.cpuUsage()
    const report: FollowerReport = { cpuUs: user + system, position: app.journal.head().position, delaysMs }
    delaysMs = []
    process.send?.(report)
  })
  process.send?.('ready')
}

async function startFollower(setup: FollowerSetup) {
  const child = fork(fileURLToPath(import.meta.url), [], {
    execArgv: ['--import', 'tsx'],
    env: { PATH: '/usr/bin:/bin', FOLLOWER: JSON.stringify(setup) },
  })
  const answer = <T>() => new Promise<T>((resolve) => child.once('message', (message) => resolve(message as T)))
  await answer<'ready'>()
  return {
    report() {
      const reported = answer<FollowerReport>()
      child.send('report')
      return reported
    },
    async end() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.send('end')
      await ended
    },
  }
}

const conversations = 100
const input = (conversation: number): SendInput => {
  const ids = { conversationId: conversationIdOf(conversation), senderId: userIdOf(conversation) }
  const text = `${Date.now()} ${'a message of some hundred characters, as people write them '.repeat(2)}`
  return {
    ...ids,
    clientMessageId: randomUUID(),
    text,
    replyToId: null,
    mentionedUserIds: [],
    attachments: null,
    data: null,
    changed: null,
    sealed: null,
  }
}

async function createDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(
    `insert into "user"(username, display_name, search_name) select 'bench' || n, 'n', 'n' from generate_series(1, ${conversations}) n`,
  )
  await client.query(`insert into conversation(kind, title) select 'GROUP', 'g' from generate_series(1, ${conversations})`)
  for (let id = 1; id <= conversations; id += 1) {
    await client.query('insert into member(conversation_id, user_id) values ($1, $1)', [id])
    const join = {
      kind: conversationKinds.MemberJoined.number,
      conversation_id: id,
      actor_id: id,
      subject_id: id,
      audience_change: 1,
    }
    await client.query('insert into journal_request(tag, facts) values ($1, $2)', [id, JSON.stringify([join])])
  }
  await client.end()
}

type Measured = { readonly bytes: number; readonly cpuUs: number; readonly p50: number; readonly p99: number }

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      followers: { type: 'string', default: '1,2,4,8' },
      rates: { type: 'string', default: '20,200,2000' },
      seconds: { type: 'string', default: '20' },
    },
  })
  const [followers, rates] = [values.followers.split(',').map(Number), values.rates.split(',').map(Number)]
  const ms = Number(values.seconds) * 1_000
  const directory = await mkdtemp(path.join(tmpdir(), 'parley-bench-'))
  const postgres = await startPostgres(path.join(directory, 'postgres'), 'a password for the bench', log)
  const port = await findFreePort()
  const redis = spawn('redis-server', ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--dir', directory], {
    stdio: 'ignore',
  })
  const admin = new Redis(port)
  const sentBytes = async () => Number(/total_net_output_bytes:(\d+)/.exec(await admin.info('stats'))?.[1])
  const common = { DATABASE_URL: postgres.url, REDIS_URL: `redis://127.0.0.1:${port}` }
  const first = await openNode(common)
  await first.close()
  await createDatabase(postgres.url)

  async function measure(follow: string, count: number, rate: number): Promise<Measured> {
    const environment = { ...common, PARLEY_FOLLOW: follow }
    const sender = await openNode(environment)
    const nodes = await Promise.all(Array.from({ length: count + 1 }, (_, i) => startFollower({ environment, hears: i === 0 })))
    const run = async (perSecond: number) => {
      const [bytes, before] = [await sentBytes(), await Promise.all(nodes.map((node) => node.report()))]
      let sent = 0
      const pending: Promise<unknown>[] = []
      for (const begun = performance.now(); performance.now() - begun < ms; await delay(5)) {
        for (const due = ((performance.now() - begun) / 1_000) * perSecond; sent < due; sent += 1) {
          const conversation = ((sent * 37) % conversations) + 1
          pending.push(sender.journal.append(sendProcedure, conversation, input(conversation)))
        }
      }
      await Promise.all(pending)
      await delay(500)
      const after = await Promise.all(nodes.map((node) => node.report()))
      const idle = after.slice(1).map(({ cpuUs }, i) => cpuUs - (before[i + 1]?.cpuUs ?? 0))
      const cpuUs = idle.reduce((sum, each) => sum + each, 0) / count
      return { sent, bytes: (await sentBytes()) - bytes, cpuUs, delays: after[0]?.delaysMs ?? [] }
    }
    await run(rate) // warms up
    const [atRest, loaded] = [await run(0), await run(rate)]
    for (const node of nodes) await node.end()
    await sender.close()
    const sorted = loaded.delays.toSorted((a, b) => a - b)
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
    return {
      // The sender and the hearing node subscribe too.
      bytes: (loaded.bytes - atRest.bytes) / loaded.sent / (count + 2),
      cpuUs: (loaded.cpuUs - atRest.cpuUs) / loaded.sent,
      p50: at(0.5),
      p99: at(0.99),
    }
  }

  say(`${cpus().length} cores, Node ${process.version}, ${ms / 1_000} s each\n`)
  say(
    '| Facts/s | Nodes that do not hear | Follow | Bytes out of Redis per fact and node | CPU of such a node per fact | p50 | p99 |',
  )
  say('|---|---|---|---|---|---|---|')
  for (const rate of rates) {
    for (const count of followers) {
      for (const follow of ['full', 'digest']) {
        const { bytes, cpuUs, p50, p99 } = await measure(follow, count, rate)
        say(`| ${rate} | ${count} | ${follow} | ${bytes.toFixed(0)} | ${cpuUs.toFixed(1)} µs | ${p50} ms | ${p99} ms |`)
      }
    }
  }
  admin.disconnect()
  redis.kill('SIGTERM')
  await postgres.stop()
  await rm(directory, { recursive: true, force: true })
}

// biome-ignore lint/style/noProcessEnv: a follower is told here what it is
const { FOLLOWER: setup } = process.env
if (setup === undefined) await main()
else await follow(JSON.parse(setup) as FollowerSetup)
