// The metrics of a node, in the format of Prometheus. What happens is counted by listening to the channels of the server, the
// journal and push; states are read when somebody asks. Labels have few values, and none that clients choose.

import { setTimeout as delay } from 'node:timers/promises'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { limitReached } from '../bus/counters.ts'
import { closeCodes, errorCodes } from '../errors.ts'
import { steps } from '../journal/steps.ts'
import type { App } from '../parts.ts'
import { readConsumerPlaces } from '../platform/change-consumers.ts'
import { pushSteps } from '../push/jobs/steps.ts'
import { type Reader, statement } from '../store/reader.ts'
import { type ExecutedOperation, hear, serverSteps } from './steps.ts'

/** Push services whose names are labels. Endpoints of others come from clients, and count as `other`. */
const knownServices: readonly (readonly [form: RegExp, label: string])[] = [
  [/^https:\/\/fcm\.googleapis\.com$/, 'fcm.googleapis.com'],
  [/^https:\/\/updates\.push\.services\.mozilla\.com$/, 'updates.push.services.mozilla.com'],
  [/^https:\/\/web\.push\.apple\.com$/, 'web.push.apple.com'],
  [/^https:\/\/[\w.-]+\.notify\.windows\.com$/, 'notify.windows.com'],
]

const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const batchBuckets = [1, 2, 5, 10, 20, 50, 100, 200]
/**
 * How often the delay of the event loop is measured, in milliseconds; it is also the least that `nodejs_eventloop_lag_*` shows. The
 * default of 10 would wake an idle node a hundred times a second.
 */
const loopLookMs = 50
/** How long the metrics wait for Postgres. */
const backlogMs = 1_000
/** At most so many waiting jobs and requests are counted. */
const waitingMax = 10_000

const backlog = statement<{ search: number; push: number; requests: number; jobs: number; rekey: number }>(
  'metrics_backlog',
  `select (select position from message_search_progress) as search, (select position from push_progress) as push,
          (select count(*) from (select 1 from journal_request limit ${waitingMax}) r) as requests,
          (select count(*) from (select 1 from graphile_worker.jobs limit ${waitingMax}) j) as jobs,
          (select count(*) from (select 1 from epoch_head where needs_rekey limit ${waitingMax}) e) as rekey`,
)

/** What the server has open. */
export type OpenCounts = { readonly sockets: () => number; readonly streams: () => number }

/** The metrics of a node. */
export type Metrics = {
  readonly contentType: string
  /** All metrics as text. What Postgres does not tell within its time-outs is left out. */
  text(): Promise<string>
  close(): void
}

/** Opens the metrics of a node. Channels are those of the process: two nodes in one process count together. */
export function openMetrics(app: App, open: OpenCounts): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: loopLookMs })
  const endings = [countOperations(registry), countJournal(registry), countLimits(registry), countPush(registry, app)]
  showConnections(registry, app, open)
  showJournal(registry, app)
  showPools(registry, app)
  const readBacklog = showBacklog(registry, app)
  return {
    contentType: registry.contentType,
    async text() {
      await readBacklog()
      return registry.metrics()
    },
    close() {
      for (const end of endings) end()
    },
  }
}

const all = (endings: readonly (() => void)[]) => () => {
  for (const end of endings) end()
}

function countOperations(registry: Registry): () => void {
  const durations = new Histogram({
    name: 'parley_operation_duration_seconds',
    help: 'Duration of executed operations, by type, root field and code of the first error (OK: none).',
    labelNames: ['type', 'field', 'code'],
    buckets: durationBuckets,
    registers: [registry],
  })
  const failures = new Counter({
    name: 'parley_operations_failed_total',
    help: 'Operations that failed, whether executed or refused, by code of the first error.',
    labelNames: ['code'],
    registers: [registry],
  })
  // A series that appears with its first event has not increased, for an alert.
  for (const code of Object.keys(errorCodes)) failures.inc({ code }, 0)
  const closes = new Counter({
    name: 'parley_sockets_closed_total',
    help: 'Closed WebSockets, by close code.',
    labelNames: ['code'],
    registers: [registry],
  })
  return all([
    hear(serverSteps.operationExecuted, ({ type, field, code, ms }: ExecutedOperation) =>
      durations.observe({ type, field, code }, ms / 1_000),
    ),
    hear(serverSteps.operationFailed, ({ code }: { code: string }) => failures.inc({ code })),
    hear(serverSteps.socketClosed, ({ code }: { code: number }) => closes.inc({ code: labelOf(code) })),
  ])
}

/** The codes that have labels: those of RFC 6455, of graphql-ws and of Parley. Clients may send any other. */
const labelled: ReadonlySet<number> = new Set([
  ...[1000, 1001, 1002, 1003, 1005, 1006, 1007, 1009, 1011, 1012, 1013],
  ...[4400, 4401, 4403, 4406, 4408, 4409, 4429, 4500],
  ...Object.values(closeCodes),
])
const labelOf = (code: number) => (labelled.has(code) ? String(code) : 'other')

function countJournal(registry: Registry): () => void {
  const sizes = new Histogram({
    name: 'parley_append_batch_size',
    help: 'Inputs in the committed batches of this node.',
    buckets: batchBuckets,
    registers: [registry],
  })
  const followed = new Counter({
    name: 'parley_followed_facts_total',
    help: 'Facts from all nodes that this node has taken into its memory.',
    registers: [registry],
  })
  const filled = new Counter({
    name: 'parley_gap_facts_total',
    help: 'Facts that this node had to read from Postgres, because their batch did not come in time.',
    registers: [registry],
  })
  const delays = new Histogram({
    name: 'parley_delivery_delay_seconds',
    help: 'From the time of a fact, by the clock of Postgres, to its delivery to a device that was live, by the clock of this node.',
    buckets: durationBuckets,
    registers: [registry],
  })
  return all([
    hear(steps.appendCommitted, ({ inputs }: { inputs: number }) => sizes.observe(inputs)),
    hear(steps.followTaking, ({ facts }: { facts: number }) => followed.inc(facts)),
    hear(steps.followRead, ({ facts }: { facts: number }) => filled.inc(facts)),
    hear(steps.streamShowing, ({ occurredAt, isLive }: { occurredAt: number; isLive: boolean }) => {
      if (isLive) delays.observe(Math.max(0, Date.now() - occurredAt) / 1_000)
    }),
  ])
}

function countLimits(registry: Registry): () => void {
  const reached = new Counter({
    name: 'parley_limits_reached_total',
    help: 'Refusals by a rate or a limit, by its name.',
    labelNames: ['limit'],
    registers: [registry],
  })
  return all([
    hear(serverSteps.rateReached, ({ kind }: { kind: string }) => reached.inc({ limit: kind })),
    hear(limitReached, ({ limit }: { limit: string }) => reached.inc({ limit })),
  ])
}

function countPush(registry: Registry, { config }: App): () => void {
  const results = new Counter({
    name: 'parley_push_results_total',
    help: 'Answers of push services, by service and result.',
    labelNames: ['service', 'result'],
    registers: [registry],
  })
  const nameOf = (service: string) =>
    service === config.push.webhook?.url.origin ? 'webhook' : (knownServices.find(([form]) => form.test(service))?.[1] ?? 'other')
  return hear(pushSteps.sent, ({ service, result }: { service: string; result: string }) =>
    results.inc({ service: nameOf(service), result }),
  )
}

/** Adds a gauge that is read when somebody asks. */
function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read())
    },
  })
}

function showConnections(registry: Registry, app: App, open: OpenCounts): void {
  gauge(registry, 'parley_sockets', 'Open WebSockets.', open.sockets)
  gauge(registry, 'parley_event_streams', 'Open event streams over HTTP.', open.streams)
  gauge(registry, 'parley_streams', 'Open subscriptions to events.', () => app.journal.streamCount())
}

function showJournal(registry: Registry, { journal }: App): void {
  gauge(registry, 'parley_journal_position', 'The last position of the journal that this node has seen.', () =>
    Number(journal.head().position),
  )
  gauge(registry, 'parley_follower_contact_age_seconds', 'Time since this node last read the head from Postgres.', () => {
    return (Date.now() - journal.state().lastContactAt) / 1_000
  })
  gauge(registry, 'parley_follower_behind_facts', 'Facts by which this node was behind the head when it last read it.', () => {
    return journal.state().behind
  })
  gauge(registry, 'parley_follower_held_batches', 'Batches of facts that wait for the gap before them to close.', () => {
    return journal.state().heldBatches
  })
  new Gauge({
    name: 'parley_append_queue_length',
    help: 'Inputs that wait to be appended, by lane.',
    labelNames: ['lane'],
    registers: [registry],
    collect() {
      for (const [lane, length] of journal.state().lanes.entries()) this.set({ lane }, length)
    },
  })
}

function showPools(registry: Registry, { store }: App): void {
  new Gauge({
    name: 'parley_pool_connections',
    help: 'Connections to Postgres, by pool and state.',
    labelNames: ['pool', 'state'],
    registers: [registry],
    collect() {
      for (const { pool, open, idle } of store.poolCounts()) {
        this.set({ pool, state: 'idle' }, idle)
        this.set({ pool, state: 'used' }, open - idle)
      }
    },
  })
  new Gauge({
    name: 'parley_pool_waiting',
    help: 'Requests that wait for a connection to Postgres, by pool.',
    labelNames: ['pool'],
    registers: [registry],
    collect() {
      for (const { pool, waiting } of store.poolCounts()) this.set({ pool }, waiting)
    },
  })
}

/** Shows what waits in Postgres. @returns a function that reads it */
function showBacklog(registry: Registry, { journal, log, store }: App): () => Promise<void> {
  const names = {
    search: ['parley_search_behind_facts', 'Facts that the search index does not include yet.'],
    push: ['parley_push_behind_facts', 'Facts whose notifications are not decided yet.'],
    requests: ['parley_journal_requests', 'Rows left in journal_request: 0, except during a commit.'],
    jobs: ['parley_push_jobs', `Notification jobs, waiting or running; at most ${waitingMax} are counted.`],
    rekey: ['parley_conversations_needing_rekey', 'Encrypted conversations in which messages wait for a commit.'],
  } as const
  const gauges = Object.entries(names).map(
    ([key, [name, help]]) => [key as keyof typeof names, new Gauge({ name, help, registers: [registry] })] as const,
  )
  let reading: ReturnType<typeof readBacklog> | null = null
  const read = () => {
    reading ??= readBacklog(store.jobs.reader)
      .catch((error: unknown) => {
        log.debug({ err: error }, 'the backlog could not be read for the metrics')
        return null
      })
      .finally(() => {
        reading = null
      })
    return reading
  }
  const consumers = new Gauge({
    name: 'parley_change_consumer_behind_facts',
    help: 'Facts that a consumer of `changes` has not acknowledged yet.',
    labelNames: ['tenant', 'consumer'],
    registers: [registry],
  })
  return async () => {
    // Monitoring gives up after some seconds, and a Postgres that is frozen answers later than that.
    const row = await Promise.race([read(), delay(backlogMs, null, { ref: false })])
    const { position } = journal.head()
    for (const [key, shown] of gauges) {
      if (!row) shown.remove()
      else shown.set(key === 'search' || key === 'push' ? Math.max(0, position - row[key]) : row[key])
    }
    consumers.reset()
    for (const { tenant, name, position: at } of row?.consumers ?? []) {
      consumers.set({ tenant, consumer: name }, Math.max(0, position - at))
    }
  }
}

async function readBacklog(reader: Reader) {
  const [[row], consumers] = await Promise.all([reader.rows(backlog, []), readConsumerPlaces(reader)])
  return row ? { ...row, consumers } : null
}
