// The stress test of the journal: all kinds of writes at once on the same few conversations, while backends are killed; beside
// them a reader that must see every position once and in order, and a checker of the laws. Short by default;
// PARLEY_STRESS_SECONDS=300 makes it a soak test.

import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { expect, test } from 'vitest'
import { requestHash, type SendInput } from '../../src/message/send.ts'
import { sqlStateOf } from '../../src/store/postgres.ts'
import { type Random, withSeed } from '../support/random.ts'
import { brokenLaws } from './laws.ts'
import { connectAs, createGroup, createJournal, createUsers, input, type PlainFact, request, row, sendBatch } from './setup.ts'
import { actNames, acts, anyConversation, anyUser, crowd, groupMembers, ownerOf } from './workload.ts'

// biome-ignore lint/style/noProcessEnv: the length of a long run is given here
const seconds = Number(process.env.PARLEY_STRESS_SECONDS ?? 5)
const killEveryMs = 200
/** Only connections with this name are killed. */
const victim = 'test stress victim'
/** How a killed backend looks to its client: by its code, or by the message of the driver. */
const isLost = (error: unknown) =>
  /^(57P01|08006|ECONNRESET|EPIPE)$/.test((error as { code?: string }).code ?? '') ||
  /Connection terminated|not queryable|connection error/.test((error as Error).message)

/** The record of the run. `acknowledged`: for each sender and key, the place, seq and content of the answer. */
type Run = {
  readonly databaseUrl: string
  readonly until: number
  readonly counts: Map<string, number>
  readonly violations: string[]
  readonly acknowledged: Map<string, string>
  readonly conflicts: { key: string; hash: string }[]
  /** The transactions of the actors by the tag of their facts. Batches never draw a negative tag. */
  readonly committed: Map<number, number>
  readonly uncertain: Map<number, number>
  readonly aborted: Set<number>
  lastTag: number
}

const isRunning = (record: Run) => Date.now() < record.until
const count = (record: Run, what: string, by = 1) => record.counts.set(what, (record.counts.get(what) ?? 0) + by)
const violate = (record: Run, what: string) => {
  if (record.violations.length < 20) record.violations.push(what)
}
const keyOf = ({ senderId, clientMessageId }: SendInput) => `${senderId} ${clientMessageId}`
const hashOf = (send: SendInput) => requestHash(send).toString('hex')

async function populate(databaseUrl: string): Promise<void> {
  const client = await connectAs(databaseUrl, 'test stress set-up')
  const everybody = Array.from({ length: crowd.conversations }, (_, i) => i + 1).map((id) =>
    Array.from({ length: crowd.users }, (_, u) => ownerOf(id) + u),
  )
  await createUsers(client, [...everybody.flat(), ...groupMembers])
  for (const [i, userIds] of everybody.entries()) await createGroup(client, i + 1, userIds.slice(0, crowd.atFirst))
  await client.query('alter sequence conversation_id_seq restart with 1000')
}

/** Some new messages, some keys that others race for, some of them with different content, some twice in the same batch. */
function drawBatch(random: Random, recent: SendInput[]): SendInput[] {
  const batch: SendInput[] = []
  for (let i = random.whole(1, 60); i > 0; i -= 1) {
    const known = random.chance(0.15) ? recent[random.whole(0, Math.max(0, recent.length - 1))] : undefined
    const conversationId = anyConversation(random)
    const send = known
      ? { ...known, text: random.chance(0.1) ? 'other content' : known.text }
      : input(conversationId, anyUser(random, conversationId), `text ${random.fraction()}`, random.uuid())
    batch.push(send)
    if (random.chance(0.05)) batch.push({ ...send })
    if (!known) recent.push(send)
    if (recent.length > 300) recent.shift()
  }
  return batch
}

/** Sends batches, and repeats one whose answer was lost, as a lane does. */
async function runBatcher(record: Run, random: Random, recent: SendInput[]): Promise<void> {
  let client = await connectAs(record.databaseUrl, victim)
  let unanswered: SendInput[] | null = null
  while (isRunning(record) || unanswered) {
    const batch: SendInput[] = unanswered ?? drawBatch(random, recent)
    unanswered = batch
    try {
      const { positions, seqs, statuses } = await sendBatch(client, batch)
      unanswered = null
      count(record, 'batches')
      for (const [i, send] of batch.entries()) note(record, send, statuses[i], positions[i], seqs[i])
    } catch (error) {
      if (isLost(error)) count(record, 'batches sent again')
      else {
        count(record, `SQLSTATE ${sqlStateOf(error)}`)
        violate(record, `a batch failed: ${(error as Error).message}`)
        unanswered = null
      }
      client = await reconnect(record, client)
    }
  }
}

function note(record: Run, send: SendInput, status?: number, position?: number | null, seq?: number | null): void {
  count(record, `status ${status}`)
  if (status === 0 || status === 1) {
    const answer = `${position} ${seq} ${hashOf(send)}`
    const before = record.acknowledged.get(keyOf(send))
    if (before !== undefined && before !== answer) violate(record, `D2 two answers for ${keyOf(send)}: ${before}, ${answer}`)
    record.acknowledged.set(keyOf(send), answer)
  } else {
    if (position !== null || seq !== null) violate(record, `a refusal with a position: ${position} ${seq}`)
    if (status === 2) record.conflicts.push({ key: keyOf(send), hash: hashOf(send) })
  }
}

async function reconnect(record: Run, client: pg.Client): Promise<pg.Client> {
  await client.end().catch(() => undefined)
  return connectAs(record.databaseUrl, victim)
}

/** Runs rare writes: transactions over S tables; some abort, some pause before COMMIT. */
async function runActor(record: Run, random: Random): Promise<void> {
  let client = await connectAs(record.databaseUrl, victim)
  while (isRunning(record)) {
    const name = random.one(actNames)
    record.lastTag -= 1
    const tag = record.lastTag
    let facts: PlainFact[] = []
    try {
      await client.query('begin')
      facts = (await acts[name]?.(client, random, anyConversation(random))) ?? []
      if (facts.length > 0) await request(client, facts, tag)
      if (random.chance(0.1)) {
        record.aborted.add(tag)
        await client.query('rollback')
        count(record, 'rolled back')
        continue
      }
      if (random.chance(0.1)) await delay(20)
      record.uncertain.set(tag, facts.length)
      await client.query('commit')
      record.committed.set(tag, facts.length)
      count(record, name)
    } catch (error) {
      const state = sqlStateOf(error)
      if (isLost(error)) {
        if (!record.uncertain.has(tag)) record.aborted.add(tag)
        client = await reconnect(record, client)
      } else {
        record.aborted.add(tag)
        record.uncertain.delete(tag)
        count(record, `SQLSTATE ${state}`)
        if (state !== 'PY403') violate(record, `${name} failed: ${(error as Error).message}`)
        await client.query('rollback').catch(() => undefined)
      }
    }
    await delay(random.whole(0, 8))
  }
}

/** Terminates one busy backend of this run after another. */
async function runKiller(record: Run): Promise<void> {
  const client = await connectAs(record.databaseUrl, 'test stress killer')
  while (isRunning(record)) {
    await delay(killEveryMs)
    const text = `select pg_terminate_backend(pid) from (select pid from pg_stat_activity
      where datname = current_database() and application_name = $1 and state <> 'idle' order by random() limit 1) v`
    const { rowCount } = await client.query(text, [victim])
    count(record, 'kills', rowCount ?? 0)
  }
}

/** Follows the end of the journal like nodes: every position once, in order, with times that never decrease. */
async function runTail(record: Run, writers: { areDone: boolean }): Promise<void> {
  const client = await connectAs(record.databaseUrl, 'test stress tail')
  const text = `select position, (extract(epoch from occurred_at) * 1000000)::bigint as at from fact
    where position > $1 order by position limit 5000`
  let last = { position: 0, at: 0 }
  for (;;) {
    const isLastLook = writers.areDone
    const { rows } = await client.query<typeof last>({ name: 'tail', text, values: [last.position] })
    for (const fact of rows) {
      if (fact.position !== last.position + 1) violate(record, `D3 the tail saw ${fact.position} after ${last.position}`)
      if (fact.at < last.at) violate(record, `time went back at ${fact.position}`)
      last = fact
    }
    count(record, 'tailed', rows.length)
    if (rows.length > 0) continue
    if (isLastLook) return
    await delay(1)
  }
}

/** Checks the laws from time to time. */
async function runJudge(record: Run): Promise<void> {
  const client = await connectAs(record.databaseUrl, 'test stress judge')
  await client.query('set statement_timeout = 0')
  while (isRunning(record)) {
    const start = Date.now()
    for (const law of await brokenLaws(client)) violate(record, law)
    count(record, 'judgements')
    // In a long run the checker must not become the load.
    await delay(Math.min(Math.max(300, 4 * (Date.now() - start)), Math.max(0, record.until - Date.now())))
  }
}

/** After all writes: the laws once more, and every acknowledged send against the stored rows. */
async function judgeTheEnd(record: Run): Promise<void> {
  const client = await connectAs(record.databaseUrl, 'test stress judge')
  await client.query('set statement_timeout = 0')
  for (const law of await brokenLaws(client)) violate(record, law)
  const messages = await client.query<{ key: string; answer: string; hash: string }>(
    `select sender_id || ' ' || client_message_id as key, encode(request_hash, 'hex') as hash,
       id || ' ' || seq || ' ' || encode(request_hash, 'hex') as answer from message`,
  )
  const stored = new Map(messages.rows.map((message) => [message.key, message]))
  for (const [key, answer] of record.acknowledged) {
    const found = stored.get(key)?.answer
    if (found !== answer) violate(record, `D1 acknowledged: ${key} ${answer}, stored: ${found}`)
  }
  for (const { key, hash } of record.conflicts) {
    if ((stored.get(key)?.hash ?? hash) === hash) violate(record, `D2 ${key} was called a conflict and is none`)
  }
  const tags = await client.query<{ tag: number; n: number }>('select tag, count(*) as n from fact where tag < -1 group by tag')
  const written = new Map(tags.rows.map(({ tag, n }) => [tag, n]))
  for (const [tag, n] of record.committed)
    if ((written.get(tag) ?? 0) !== n) violate(record, `D1 the transaction ${tag} lacks facts`)
  for (const [tag, n] of record.uncertain)
    if (written.has(tag) && written.get(tag) !== n) violate(record, `the transaction ${tag} is there in part`)
  for (const tag of record.aborted) if (written.has(tag)) violate(record, `the facts of the aborted transaction ${tag} are there`)
  const { deadlocks } = await row<{ deadlocks: number }>(
    client,
    'select deadlocks from pg_stat_database where datname = current_database()',
  )
  count(record, 'deadlocks', deadlocks)
}

test(
  'A1 A4 A8 C5 D1 D2 D5 D6 the journal keeps its laws while everything writes and backends are killed',
  { timeout: seconds * 1_000 + 60_000 },
  () =>
    withSeed(async (random) => {
      const databaseUrl = await createJournal()
      await populate(databaseUrl)
      const record: Run = {
        databaseUrl,
        until: Date.now() + seconds * 1_000,
        counts: new Map(),
        violations: [],
        acknowledged: new Map(),
        conflicts: [],
        committed: new Map(),
        uncertain: new Map(),
        aborted: new Set(),
        lastTag: -1,
      }
      const recent: SendInput[] = []
      const writers = { areDone: false }
      const writing = [
        ...Array.from({ length: crowd.batchers }, () => runBatcher(record, random.fork(), recent)),
        ...Array.from({ length: crowd.actors }, () => runActor(record, random.fork())),
      ]
      const watching = [runKiller(record), runJudge(record), runTail(record, writers)]
      await Promise.all(writing).finally(() => {
        writers.areDone = true
      })
      await Promise.all(watching)
      await judgeTheEnd(record)

      expect(record.violations.join('\n'), JSON.stringify(Object.fromEntries(record.counts))).toBe('')
      expect(record.counts.get('deadlocks')).toBe(0)
      expect(record.counts.get('SQLSTATE 40P01') ?? 0, 'deadlocks').toBe(0)
      expect(record.counts.get('SQLSTATE 55P03') ?? 0, 'lock time-outs').toBe(0)
      // The run proves something only if all of this happened.
      const happened = ['batches', 'status 0', 'status 1', 'status 2', 'status 3', ...actNames, 'rolled back', 'SQLSTATE PY403']
      for (const what of [...happened, 'kills', 'batches sent again', 'judgements']) {
        expect(record.counts.get(what) ?? 0, what).toBeGreaterThan(0)
      }
      expect(record.counts.get('tailed')).toBeGreaterThan(1_000)
    }),
)
