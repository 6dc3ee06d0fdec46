// The metrics: what happens is counted, labels are bounded, and the dashboard and the alerts name metrics that exist.

import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { beforeAll, expect, test } from 'vitest'
import { SearchMessages } from '../search/documents.ts'
import { type Device, request, signUpAll } from '../support/device.ts'
import { SendMessage, Viewer } from '../support/documents.ts'
import { createDatabase, type Node, openNode } from '../support/node.ts'
import { openProxy } from '../support/proxy.ts'
import { until } from '../support/until.ts'

let node: Node
let ann: Device
let ben: Device
let conversationId: string

beforeAll(async () => {
  node = await openNode({ PARLEY_METRICS_PORT: '0', PARLEY_RATE_SEARCHES: '1/1' })
  ;[ann, ben] = (await signUpAll(node, 'Ann', 'Ben')) as [Device, Device]
  conversationId = await ann.direct(ben)
})

const metricsUrl = (of: Node) => `http://127.0.0.1:${of.metricsPort}/metrics`
const textOf = async (of: Node) => (await fetch(metricsUrl(of))).text()

/** The value of a series, such as `name{label="value"}`; null if there is none. */
async function readSeries(of: Node, series: string): Promise<number | null> {
  const line = (await textOf(of)).split('\n').find((one) => one.startsWith(`${series} `))
  return line === undefined ? null : Number(line.slice(series.length + 1))
}

/** How much a series grows while something happens. */
async function growth(series: string, act: () => Promise<unknown>): Promise<number> {
  const before = (await readSeries(node, series)) ?? 0
  await act()
  return ((await readSeries(node, series)) ?? 0) - before
}

test('counts operations by their root field and outcome, over HTTP and WebSockets', async () => {
  const sends = 'parley_operation_duration_seconds_count{type="mutation",field="sendMessage",code="OK"}'
  expect(await growth(sends, () => ann.send(conversationId, 'hello'))).toBe(1)
  const queries = 'parley_operation_duration_seconds_count{type="query",field="several",code="OK"}'
  expect(await growth(queries, () => ann.run(Viewer, {}))).toBe(1)
  const overSocket = () =>
    new Promise<void>((resolve, reject) => {
      const sink = { next: () => undefined, error: reject, complete: () => resolve() }
      ann.socket().subscribe({ query: 'query MyOwnName { viewer { id } }' }, sink)
    })
  const viewers = 'parley_operation_duration_seconds_count{type="query",field="viewer",code="OK"}'
  expect(await growth(viewers, overSocket)).toBe(1)
  expect(await textOf(node)).not.toContain('MyOwnName')
  const refused = 'parley_operation_duration_seconds_count{type="mutation",field="sendMessage",code="BAD_INPUT"}'
  const input = { conversationId: 'nothing', text: 'x', clientMessageId: randomUUID() }
  expect(await growth(refused, () => ann.refused(SendMessage, { input }))).toBe(1)
})

test('counts failures before an execution, rates reached, and closed WebSockets', async () => {
  const misspelt = () =>
    fetch(node.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"query":"{ nonsense }"}' })
  expect(await growth('parley_operations_failed_total{code="OPERATION_REFUSED"}', misspelt)).toBe(1)
  const search = () => request(node.url, SearchMessages, { query: 'x' }, ben.accessToken)
  const searchThrice = () => Promise.all([search(), search(), search()])
  expect(await growth('parley_limits_reached_total{limit="searches"}', searchThrice)).toBe(2)
  const close = async () => {
    const client = ann.socket()
    const closed = new Promise<void>((resolve) => client.on('closed', () => resolve()))
    client.subscribe(
      { query: 'subscription { events { __typename } }' },
      { next: () => void client.dispose(), error: () => undefined, complete: () => undefined },
    )
    await closed
    await until('the server to see it', async () => (await readSeries(node, 'parley_sockets')) === 0)
  }
  expect(await growth('parley_sockets_closed_total{code="1000"}', close)).toBeGreaterThanOrEqual(1)
})

test('shows deliveries, sockets, the journal and what waits', async () => {
  const streams = 'parley_operation_duration_seconds_count{type="subscription",field="events",code="OK"}'
  expect(await growth(streams, async () => ben.events().live())).toBe(1)
  const log = await ben.events().live()
  const deliver = async () => {
    const { cursor } = await ann.send(conversationId, 'seen')
    await log.until('the message', ({ seen }) => seen.some((event) => event.cursor === cursor))
  }
  expect(await growth('parley_delivery_delay_seconds_count', deliver)).toBe(2)
  expect(await growth('parley_append_batch_size_sum', deliver)).toBe(1)
  expect(await growth('parley_followed_facts_total', deliver)).toBe(1)
  expect(await readSeries(node, 'parley_sockets')).toBeGreaterThanOrEqual(1)
  expect(await readSeries(node, 'parley_streams')).toBe(2)
  expect(await readSeries(node, 'parley_journal_position')).toBe(node.app.journal.head().position)
  expect(await readSeries(node, 'parley_journal_requests')).toBe(0)
  expect(await readSeries(node, 'parley_follower_contact_age_seconds')).toBeLessThan(5)
  await until('the index', async () => (await readSeries(node, 'parley_search_behind_facts')) === 0)
  expect(await readSeries(node, 'parley_append_queue_length{lane="0"}')).toBe(0)
  expect(await readSeries(node, 'parley_pool_connections{pool="journal",state="idle"}')).toBeGreaterThan(0)
  log.stop()
})

test('answers while Postgres is away, without what only Postgres knows', async () => {
  const proxy = await openProxy(await createDatabase())
  const other = await openNode({ DATABASE_URL: proxy.url, PARLEY_METRICS_PORT: '0', PARLEY_LOG_LEVEL: 'silent' })
  expect(await readSeries(other, 'parley_push_behind_facts')).toBeGreaterThanOrEqual(0)
  // A frozen Postgres answers nothing: the metrics do not wait for it.
  proxy.freeze()
  const startedAt = performance.now()
  expect(await readSeries(other, 'parley_push_behind_facts')).toBeNull()
  expect(performance.now() - startedAt).toBeLessThan(4_000)
  proxy.cut()
  expect(await readSeries(other, 'parley_push_behind_facts')).toBeNull()
  expect(await readSeries(other, 'parley_journal_position')).toBe(0)
  proxy.restore()
  await until('Postgres', async () => (await readSeries(other, 'parley_push_behind_facts')) !== null)
})

test('answers on its own port only, and nothing but metrics', async () => {
  expect((await fetch(node.url.replace('/graphql', '/metrics'))).status).toBe(404)
  expect((await fetch(metricsUrl(node).replace('/metrics', '/graphql'))).status).toBe(404)
  expect((await fetch(metricsUrl(node), { method: 'POST' })).status).toBe(405)
  const without = await openNode()
  expect(without.metricsPort).toBeNull()
  const { errors } = await request(without.url, Viewer, {}, ann.accessToken)
  expect(errors).not.toEqual([])
})

test('the alerts, the dashboard and the documents name metrics that exist, and each alert has its section', async () => {
  const read = (file: string) => readFile(new URL(`../../${file}`, import.meta.url), 'utf8')
  const operations = await read('docs/operations.md')
  const shown = new Set([...(await textOf(node)).matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name))
  const alerts = await read('deploy/monitoring/alerts.yml')
  const [rules, dashboard] = [alerts.replace(/^ +- alert: .*$/gm, ''), await read('deploy/monitoring/dashboard.json')]
  for (const text of [rules, dashboard, operations]) {
    const named = [...text.matchAll(/\b(parley|nodejs|process)_[a-z0-9_]+/g)].map(([name]) =>
      name.replace(/_(bucket|count|sum)$/, ''),
    )
    const missing = named.filter((name) => !shown.has(name) && text !== operations)
    expect(missing).toEqual([])
  }
  const documented = new Set([...operations.matchAll(/^\| `(parley_[a-z_]+)` \|/gm)].map(([, name = '']) => name))
  expect([...documented].toSorted()).toEqual([...shown].filter((name) => name.startsWith('parley_')).toSorted())
  const named = [...alerts.matchAll(/- alert: (\w+)/g)].map(([, name]) => name)
  const pages = [...operations.matchAll(/^#### (Parley\w+)$/gm)].map(([, name]) => name)
  expect(pages).toEqual(named)
})
