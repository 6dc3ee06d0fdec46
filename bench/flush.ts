// The bench of "flush after unlock" (B1): `npx tsx bench/flush.ts`. The append path alone: the lanes of 1, 4 and 10 nodes, each
// with its own connections, on one Postgres whose disk takes 0, 2 and 5 ms longer for each flush (a preload that sleeps in
// fdatasync; it needs `cc`). Each is measured with the batch as it is, and with one that commits synchronously under the lock:
// at 1,000 sends a second, and with 400 sends under way at any time. It brings its own Postgres, ends by itself after some four
// minutes, and prints a table.

import { randomBytes, randomUUID } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { conversationIdOf, userIdOf } from '../src/id.ts'
import { Lanes, type Procedure } from '../src/journal/append.ts'
import { startPostgres } from '../src/local/postgres.ts'
import { openLog } from '../src/log/log.ts'
import { RepeatLog } from '../src/log/repeats.ts'
import { type SendInput, type SendOutcome, sendProcedure } from '../src/message/send.ts'
import { migrate } from '../src/store/migrate.ts'
import { openPool } from '../src/store/postgres.ts'
import { slowDisk } from '../test/support/slow-disk.ts'

const delaysMs = [0, 2, 5]
const nodeCounts = [1, 4, 10]
const [pacedMs, closedMs, warmUpMs] = [5_000, 4_000, 1_500]
const rate = 1_000
const underWay = 400
const [conversations, members] = [500, 4]
const log = openLog('silent', 'bench')
const repeats = new RepeatLog(log)
const say = (line: string) => process.stdout.write(`${line}\n`)

const directory = await mkdtemp(path.join(tmpdir(), 'parley-bench-'))
await chmod(directory, 0o755)
const disk = await slowDisk(directory)
const postgres = await disk.preloaded(() => startPostgres(path.join(directory, 'postgres'), 'a password for the bench', log))
await migrate(postgres.url, log)
const sql = new pg.Client({ connectionString: postgres.url })
await sql.connect()

// For comparison: the batch that commits synchronously, under the lock.
await sql.query(`
  create procedure bench_send_under_lock(conv bigint[], sender bigint[], client uuid[], hash bytea[], body text[], reply bigint[], mentions text[], spelling text[],
    attachments text[], kinds text[], sendable boolean[], data text[], ciphers bytea[], epochs int[],
    inout positions bigint[], inout seqs int[], inout statuses smallint[], inout at timestamptz, inout batch_tag int, inout previous_tag int)
  language plpgsql as $$ begin
    select * into positions, seqs, statuses, at, batch_tag, previous_tag 
      from journal_send(conv, sender, client, hash, body, reply, mentions, spelling, attachments, kinds, sendable, data, ciphers, epochs);
    commit;
  end $$`)
await sql.query(`insert into "user"(username, display_name) select 'user' || n, 'User' from generate_series(1, $1) n`, [
  conversations * members,
])
await sql.query(`insert into conversation(kind, title) select 'GROUP', 'group ' || n from generate_series(1, $1) n`, [
  conversations,
])
await sql.query(
  `insert into journal_request(tag, facts)
   select 1, jsonb_agg(jsonb_build_object('kind', 3, 'conversation_id', c, 'subject_id', (c - 1) * $2 + m, 'audience_change', 1))
     from generate_series(1, $1) c, generate_series(1, $2) m group by c`,
  [conversations, members],
)

type Way = { readonly name: string; readonly procedure: Procedure<SendInput, SendOutcome> }
const text = sendProcedure.text.replace('journal_send_batch_2', 'bench_send_under_lock')
const ways: readonly Way[] = [
  { name: 'under the lock', procedure: { ...sendProcedure, name: 'bench_send_under_lock', text } as Way['procedure'] },
  { name: 'after unlock', procedure: sendProcedure as Way['procedure'] },
]

/** A key like those of clients: UUIDv7. */
function newKey(): string {
  const at = Date.now().toString(16).padStart(12, '0')
  return `${at.slice(0, 8)}-${at.slice(8)}-7${randomUUID().slice(15)}`
}

let turn = 0
function nextInput(): SendInput {
  turn = (turn + 7_919) % (conversations * members)
  const [conversationId, senderId] = [conversationIdOf(Math.floor(turn / members) + 1), userIdOf(turn + 1)]
  const words = `hello, this is a typical message of some length ${randomBytes(4).toString('hex')}`
  return {
    conversationId,
    senderId,
    clientMessageId: newKey(),
    text: words,
    replyToId: null,
    mentionedUserIds: [],
    attachments: null,
    data: null,
    changed: null,
    sealed: null,
  }
}

type Result = { readonly perSecond: number; readonly p50: number; readonly p99: number; readonly failed: number }

async function measure(way: Way, nodes: readonly Lanes[], ms: number, isPaced: boolean): Promise<Result> {
  const took: number[] = []
  let failed = 0
  const one = async (i: number) => {
    const input = nextInput()
    const from = performance.now()
    const outcome = await nodes[i % nodes.length]?.append(way.procedure, input.senderId, input).catch(() => null)
    if (outcome?.status === 'SENT') took.push(performance.now() - from)
    else failed += 1
  }
  const start = performance.now()
  const end = start + ms
  if (isPaced) {
    const all: Promise<void>[] = []
    while (performance.now() < end) {
      for (const due = ((performance.now() - start) / 1_000) * rate; all.length < due; ) all.push(one(all.length))
      await delay(1)
    }
    await Promise.all(all)
  } else {
    const worker = async (i: number) => {
      while (performance.now() < end) await one(i)
    }
    await Promise.all(Array.from({ length: underWay }, (_, i) => worker(i)))
  }
  took.sort((a, b) => a - b)
  const at = (share: number) => took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? Number.NaN
  return { perSecond: took.length / ((performance.now() - start) / 1_000), p50: at(0.5), p99: at(0.99), failed }
}

say(
  `${cpus().length} cores, Node ${process.version}, load ${loadavg()
    .map((load) => load.toFixed(1))
    .join(' ')} at the start`,
)
say('')
say(`| flush | nodes | flushed | p50 at ${rate}/s | p99 | of them in time | sends/s, ${underWay} under way | p50 | p99 | load |`)
say('|---|---|---|---|---|---|---|---|---|---|')
for (const delayMs of delaysMs) {
  disk.setDelay(delayMs)
  for (const count of nodeCounts) {
    for (const way of ways) {
      const pools = Array.from({ length: count }, () => openPool(postgres.url, 'bench', 3, log))
      const nodes = pools.map((pool) => new Lanes(pool, 2, () => undefined, log, repeats))
      await measure(way, nodes, warmUpMs, false)
      const paced = await measure(way, nodes, pacedMs, true)
      const closed = await measure(way, nodes, closedMs, false)
      await Promise.all(nodes.map((node) => node.close()))
      await Promise.all(pools.map((pool) => pool.end()))
      const failed = paced.failed + closed.failed
      const ms = (n: number) => `${n.toFixed(1)} ms`
      const figures = [
        ms(paced.p50),
        ms(paced.p99),
        `${paced.perSecond.toFixed(0)}/s`,
        closed.perSecond.toFixed(0),
        ms(closed.p50),
        ms(closed.p99),
      ]
      const load = loadavg()[0]?.toFixed(1)
      say(`| +${delayMs} ms | ${count} | ${way.name} | ${figures.join(' | ')} | ${load}${failed ? `, ${failed} failed` : ''} |`)
    }
  }
}
await sql.end()
await postgres.stop()
await rm(directory, { recursive: true, force: true })
