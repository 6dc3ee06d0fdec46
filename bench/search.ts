// The bench of search: `npx tsx bench/search.ts`. One million messages in 2,000 conversations, indexed by the real indexer;
// then 200 queries of two syllables by a user who is in 200 of the conversations, through the real statement. It brings its own
// Postgres, ends by itself, cleans up, and writes bench/results-search.md.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { type OpenApp, openApp } from '../src/app.ts'
import { readConfig } from '../src/config/read-config.ts'
import { userIdOf } from '../src/id.ts'
import { startPostgres } from '../src/local/postgres.ts'
import { openLog } from '../src/log/log.ts'
import { readFound } from '../src/search/access.ts'
import { readProgress } from '../src/search/tables.ts'
import { parseQuery } from '../src/search/terms.ts'
import { readText } from '../src/search/text.ts'
import { migrate } from '../src/store/migrate.ts'
import { createRandom, createTexts } from './corpus.ts'

const size = { messages: 1_000_000, conversations: 2_000, own: 200, chunk: 10_000, queries: 200, page: 50 } as const
const viewerId = userIdOf(1)
const random = createRandom(20_261_121)
const text = createTexts(random)
/** The viewer is in every tenth conversation. */
const isOwn = (conversationId: number) => conversationId % (size.conversations / size.own) === 0

const say = (line: string) => process.stdout.write(`${line}\n`)
const seconds = (since: number) => (performance.now() - since) / 1_000

/** Writes messages and their facts, like sends; returns texts of the viewer's own conversations for queries. */
async function fill(client: pg.Client): Promise<string[]> {
  await client.query(`set statement_timeout = 0; set transaction_timeout = 0; set synchronous_commit = off`)
  await client.query(
    `insert into audience select c, u, 0, null from generate_series(1, $1) c, generate_series(1, 2) u where u = 2 or c % $2 = 0`,
    [size.conversations, size.conversations / size.own],
  )
  const own: string[] = []
  const seqs = new Map<number, number>()
  for (let first = 1; first <= size.messages; first += size.chunk) {
    const rows = Array.from({ length: size.chunk }, () => {
      const conversationId = 1 + Math.floor(random() * size.conversations)
      const seq = (seqs.get(conversationId) ?? 0) + 1
      seqs.set(conversationId, seq)
      const row = { conversationId, seq, text: text() }
      if (isOwn(conversationId)) own.push(row.text)
      return row
    })
    await client.query(
      `with rows as (
         select $1::bigint + ordinality - 1 as id, c, seq, t from unnest($2::bigint[], $3::int[], $4::text[]) with ordinality as r(c, seq, t)),
       facts as (
         insert into fact(position, tag, occurred_at, kind, conversation_id, actor_id, subject_id)
         select id, 7, timestamptz '2026-01-01' + id * interval '20 s', 1, c, 2, id from rows)
       insert into message(id, conversation_id, seq, sender_id, client_message_id, request_hash, text, created_at)
       select id, c, seq, 2, gen_random_uuid(), '', t, timestamptz '2026-01-01' + id * interval '20 s' from rows`,
      [first, rows.map((row) => row.conversationId), rows.map((row) => row.seq), rows.map((row) => row.text)],
    )
  }
  await client.query('vacuum analyze message')
  return own
}

/** Distinct pairs of syllables from messages, so that common ones come up more often than rare ones. */
function drawQueries(texts: readonly string[]): string[] {
  const queries = new Set<string>()
  while (queries.size < size.queries) {
    const runs = readText(texts[Math.floor(random() * texts.length)] ?? '').filter(
      ({ kind, characters }) => kind === 'run' && characters.length > 1,
    )
    const run = runs[Math.floor(random() * runs.length)]?.characters ?? []
    const at = Math.floor(random() * (run.length - 1))
    if (run.length > 1) queries.add(run.slice(at, at + 2).join(''))
  }
  return [...queries]
}

type Timing = { readonly query: string; readonly ms: number; readonly rows: number }

async function measure(app: OpenApp, queries: readonly string[]): Promise<Timing[]> {
  const timings: Timing[] = []
  for (const text of queries) {
    const query = parseQuery(text)
    if (!query) throw new Error(`no query: ${text}`)
    const search = { query, conversationId: null, senderId: null, since: null, until: null }
    const started = performance.now()
    const rows = await readFound(app.store.reader, viewerId, search, {
      after: null,
      before: null,
      from: 'START',
      limit: size.page + 1,
    })
    timings.push({ query: text, ms: performance.now() - started, rows: rows.length })
  }
  return timings.toSorted((a, b) => a.ms - b.ms)
}

const directory = await mkdtemp(path.join(tmpdir(), 'parley-bench-'))
const log = openLog('warn', 'bench')
try {
  const postgres = await startPostgres(path.join(directory, 'postgres'), 'the password of the bench', log)
  try {
    await run(postgres.url)
  } finally {
    await postgres.stop()
  }
} finally {
  await rm(directory, { recursive: true, force: true })
}

async function run(databaseUrl: string): Promise<void> {
  await migrate(databaseUrl, log)
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  let started = performance.now()
  const own = await fill(client)
  say(`filled in ${seconds(started).toFixed(0)} s`)
  const foundation = { databaseUrl, tokenSecrets: 'the token secret of the whole of the bench', vapid: null }
  started = performance.now()
  const app = await openApp(readConfig({ PARLEY_LOG_LEVEL: 'warn' }), foundation, log)
  try {
    for (let behind = size.messages; behind > 0; ) {
      await new Promise((resolve) => setTimeout(resolve, 500))
      behind = size.messages - (await readProgress(app.store.reader)).position
    }
    await app.indexer.close()
    const indexingS = seconds(started)
    say(`indexed in ${indexingS.toFixed(0)} s`)
    // One by one: VACUUM is refused among other statements.
    for (const text of ['vacuum analyze message_search', 'checkpoint']) await client.query(text)
    const queries = drawQueries(own)
    await measure(app, queries.slice(0, 20))
    const timings = await measure(app, queries)
    await report(client, timings, indexingS)
  } finally {
    await app.close()
    await client.end()
  }
}

async function report(client: pg.Client, timings: readonly Timing[], indexingS: number): Promise<void> {
  const { rows } = await client.query<Record<string, string>>(
    `select current_setting('server_version') as postgres, current_setting('shared_buffers') as buffers,
            pg_size_pretty(pg_relation_size('message_search_terms')) as terms,
            pg_size_pretty(pg_table_size('message_search')) as rows,
            pg_size_pretty(pg_total_relation_size('message_search')) as total,
            pg_size_pretty(pg_total_relation_size('message')) as messages`,
  )
  const [sizes = {}] = rows
  const at = (share: number) => timings[Math.min(timings.length - 1, Math.ceil(timings.length * share) - 1)]
  const ms = (share: number) => `${at(share)?.ms.toFixed(1)} ms`
  const full = timings.filter((timing) => timing.rows > size.page).length
  const lines = [
    '# Search',
    '',
    '2026-11-21. `npx tsx bench/search.ts`, which makes this page.',
    '',
    `${size.messages.toLocaleString('en')} messages in mixed Korean and English, 3 to 12 words each, in ${size.conversations.toLocaleString('en')} conversations; ${size.queries} distinct queries of two`,
    `syllables, drawn from the messages, by a user who is in ${size.own} of the conversations; a page of ${size.page}, one query at a time,`,
    'warm, through the statement that the API uses.',
    '',
    '| What | Measured |',
    '|---|---|',
    `| p50 | ${ms(0.5)} |`,
    `| p90 | ${ms(0.9)} |`,
    `| p99 | ${ms(0.99)} |`,
    `| the slowest (${at(1)?.query}) | ${ms(1)} |`,
    `| queries that filled the page | ${full} of ${size.queries} |`,
    `| index on the terms (GIN) | ${sizes.terms} |`,
    `| rows of the index table | ${sizes.rows} |`,
    `| total; for comparison the messages with their indexes | ${sizes.total}; ${sizes.messages} |`,
    `| written by the indexer, following the journal | ${Math.round(size.messages / indexingS).toLocaleString('en')} messages a second |`,
    '',
    `Machine: ${cpus().length} cores (${cpus()[0]?.model.trim()}). Node ${process.versions.node}, Postgres ${sizes.postgres}, the embedded one as Parley starts`,
    `it (shared_buffers ${sizes.buffers}), on the same machine.`,
    '',
  ]
  await writeFile(new URL('results-search.md', import.meta.url), lines.join('\n'))
  say(lines.join('\n'))
}
