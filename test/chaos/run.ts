// A chaos run from start to table: simulated people use three real nodes while the nemesis kills, freezes and cuts nodes, Redis,
// Postgres and sockets. Then everything is repaired, and the checker compares.

import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { SignUp, StartDirectConversation } from '../support/documents.ts'
import { Random } from '../support/random.ts'
import { Balancer, throughProxies } from './balancer.ts'
import { type CheckResult, check } from './checker.ts'
import { SimulatedDevice } from './device.ts'
import { NewGroup } from './documents.ts'
import { ask, type Endpoint, type Outcome } from './endpoint.ts'
import { Generator } from './generator.ts'
import { KnownConversation, KnownState } from './known-state.ts'
import { runNemesis } from './nemesis.ts'
import type { NodeProcess } from './node-process.ts'
import { visibilities } from './operations.ts'
import { anomalies } from './oracle.ts'
import { Person } from './person.ts'
import { checkPresence } from './presence.ts'
import { type Arrangement, type Processes, presenceTtlMs, startProcesses, until } from './processes.ts'
import { NodeProxy } from './proxy.ts'
import { RunRecord } from './record.ts'
import { checkSealed } from './sealed-checker.ts'
import { SealedGroup } from './sealed-group.ts'
import { checkFiles } from './sent-files.ts'
import { titleOf } from './stored-state.ts'

/** The size of a run. All random choices come from the seed. */
export type Options = {
  readonly seed: number
  /** How long people act and faults happen, in milliseconds. */
  readonly durationMs: number
  readonly people: number
  readonly groups: number
  /** The mean pause of a person between two operations. */
  readonly thinkMs: number
  /** The mean pause between two faults; null: there are none. */
  readonly faultEveryMs: number | null
  /** What the nodes have between them. `windowFacts`: how many facts each remembers; by default a different number for each. */
  readonly arrangement?: Arrangement
  /** Called when people begin to act. */
  onBegun?(nodes: readonly NodeProcess[]): void
}

/** The result of a run. */
export type Report = { readonly record: RunRecord; readonly table: string }

const membersMax = 10
const repairMs = 60_000
/** The mean pause between two things that happen in the encrypted group. */
const sealedThinkMs = 150
/** How long people may take after the last fault for operations that have not happened yet. */
const extraMs = 60_000

type Endpoints = readonly [Endpoint, ...Endpoint[]]

/** Runs it, and leaves nothing behind. */
export async function runChaos(options: Options): Promise<Report> {
  const record = new RunRecord()
  const random = new Random(options.seed)
  const processes = await startProcesses(record, membersMax, options.arrangement ?? {})
  const proxies: NodeProxy[] = []
  let balancer: Balancer | null = null
  try {
    for (const node of processes.nodes) proxies.push(await NodeProxy.open(node.port))
    const endpoints = processes.nodes.map(({ name }, i) => ({ name, port: proxies[i]?.port ?? 0 })) as unknown as Endpoints
    balancer = await Balancer.open(endpoints, random.fork())
    return await runWithProcesses(options, random, record, processes, proxies, endpoints, balancer.url)
  } finally {
    await balancer?.close()
    await Promise.all(proxies.map((proxy) => proxy.close()))
    await processes.stop()
  }
}

async function runWithProcesses(
  options: Options,
  random: Random,
  record: RunRecord,
  processes: Processes,
  proxies: readonly NodeProxy[],
  endpoints: Endpoints,
  url: string,
): Promise<Report> {
  const generator = new Generator(record, random.fork())
  const known = await populate(options, random, record, generator, endpoints, url)
  const fetch = throughProxies(new Map(processes.nodes.map(({ port }, i) => [port, proxies[i]?.port ?? port])))
  const sealed = await SealedGroup.open({ endpoints, url, fetch, random: random.fork(), record })
  const devices = known.people.flatMap((person, i) =>
    Array.from(
      { length: random.whole(1, 3) },
      (_, d) =>
        new SimulatedDevice(
          `device ${i + 1}.${d + 1}`,
          person.userId,
          person.accessToken,
          endpoints,
          url,
          fetch,
          random.fork(),
          record,
        ),
    ),
  )
  record.count('people', known.people.length)
  record.count('devices', devices.length)
  const following = devices.map((device) => device.run())
  try {
    await until('the first snapshot of every device', repairMs, () => devices.every(({ position }) => position >= 0))
    let overAt = Number.POSITIVE_INFINITY
    const { durationMs, faultEveryMs } = options
    const pending = () => [...generator.pending, ...sealed.pending]
    // Without faults, some of what must happen never does.
    const isMissing = () => faultEveryMs !== null && pending().length > 0
    const isOver = () => Date.now() > overAt + (isMissing() ? extraMs : 0)
    options.onBegun?.(processes.nodes)
    const faults =
      faultEveryMs === null ? delay(durationMs) : runNemesis(processes, proxies, random.fork(), record, faultEveryMs, durationMs)
    const nemesis = faults.finally(() => {
      overAt = Date.now()
    })
    const acting = known.people.map((person) => person.run(options.thinkMs, isOver))
    await Promise.all([nemesis, sealed.run(sealedThinkMs, isOver), ...acting])
    for (const missing of isMissing() ? pending() : []) record.violation(`the run proves nothing: "${missing}" never happened`)
    return await finish(options, record, processes, devices, sealed, known, endpoints)
  } finally {
    for (const device of devices) device.stop()
    await Promise.all([sealed.close(), ...following, ...known.people.map((person) => person.close())])
  }
}

/** Signs up the people, and creates their first groups and direct conversations. */
async function populate(
  options: Options,
  random: Random,
  record: RunRecord,
  generator: Generator,
  endpoints: Endpoints,
  url: string,
): Promise<KnownState> {
  const known = new KnownState()
  for (let i = 1; i <= options.people; i += 1) {
    const input = {
      username: `person-${i}`,
      password: 'correct horse battery staple',
      displayName: `Person ${i}`,
      deviceName: 'All',
    }
    const { signUp } = await answered(ask(endpoints[0], SignUp, { input }, null))
    known.people.push(new Person(signUp.viewer.id, signUp.accessToken, known, endpoints, url, random.fork(), record, generator))
  }
  const draw = () => known.people[random.whole(0, known.people.length - 1)] as Person
  for (let i = 1; i <= options.groups; i += 1) {
    const owner = draw()
    const members = new Set(Array.from({ length: random.whole(2, membersMax - 3) }, draw).filter((person) => person !== owner))
    const historyVisibility = random.one(visibilities)
    const title = titleOf(`Group ${i}`, historyVisibility)
    const isEncrypted = i % 4 === 0
    const settings = { title, historyVisibility, encryption: isEncrypted ? ('MLS' as const) : ('NONE' as const) }
    const input = { ...settings, memberIds: [...members].map(({ id }) => id) }
    const { createGroup } = await answered(ask(endpoints[0], NewGroup, { input }, owner.accessToken))
    known.learn(createGroup.conversation).isEncrypted = isEncrypted
  }
  for (const [i, person] of known.people.entries()) {
    const other = known.people[(i + 1) % known.people.length]
    if (!other || other === person) continue
    const { startDirectConversation } = await answered(
      ask(endpoints[0], StartDirectConversation, { input: { userId: other.id } }, person.accessToken),
    )
    const conversation = new KnownConversation(startDirectConversation.conversation.id, false)
    conversation.members.add(person).add(other)
    known.conversations.push(conversation)
  }
  return known
}

async function answered<Data>(asking: Promise<Outcome<Data>>): Promise<Data> {
  const outcome = await asking
  if (outcome.status !== 'answered') throw new Error(`the run could not be prepared: ${JSON.stringify(outcome)}`)
  return outcome.data
}

/** After the repairs, every device must reach the end of the journal. Then the checker compares, and the nodes shut down. */
async function finish(
  options: Options,
  record: RunRecord,
  { postgres, nodes }: Processes,
  devices: readonly SimulatedDevice[],
  sealed: SealedGroup,
  { people }: KnownState,
  endpoints: Endpoints,
): Promise<Report> {
  const sql = new pg.Client({ connectionString: postgres.url })
  sql.on('error', () => undefined)
  await sql.connect()
  try {
    await until('every file to be looked at', repairMs, async () => {
      const { rowCount } = await sql.query("select 1 from stored_file where state = 'PROCESSING' limit 1")
      return rowCount === 0
    })
    await sealed.settle()
    const { rows } = await sql.query<{ head: string }>('select max(position) as head from fact')
    const end = Number(rows[0]?.head)
    const limit = Date.now() + repairMs
    while (Date.now() < limit && devices.some(({ position }) => position < end)) await delay(50)
    for (const { name, position } of devices) {
      if (position < end) record.violation(`D3 ${name} is stuck at ${position} of ${end}`)
    }
    await checkPresence(people, devices, endpoints, presenceTtlMs, record)
    for (const device of devices) device.stop()
    await until('the last snapshot of every device', repairMs, async () => {
      const done = await Promise.all(devices.map((device) => device.readLastSnapshot()))
      return done.every((isDone) => isDone)
    })
    await checkFiles(people, endpoints[0], record)
    const result = await check(sql, devices, record, end)
    await checkSealed(sql, sealed.id, sealed.devices, record)
    await Promise.all(nodes.map((node) => shutDown(node, record)))
    return { record, table: tableOf(options, record, result) }
  } finally {
    await sql.end()
  }
}

async function shutDown(node: NodeProcess, record: RunRecord): Promise<void> {
  const code = await node.end('SIGTERM')
  if (code !== 0) record.violation(`D9 ${node.name} exited with code ${code} on SIGTERM:\n${node.tail}`)
}

function tableOf(options: Options, record: RunRecord, { anomalyCounts, deliveries, facts }: CheckResult): string {
  const n = (what: string) => record.of(what)
  const rows: [string, string | number][] = [
    ['seed', options.seed],
    ['minutes under load', Math.round(options.durationMs / 6_000) / 10],
    ['people, devices', `${n('people')}, ${n('devices')}`],
    ['facts', facts],
    ['sends acknowledged', n('sends acknowledged')],
    ['deliveries checked', deliveries],
    ['snapshots checked', record.snapshots.length],
    ['facts hidden from new members', n('facts hidden')],
    [
      'joined by invite, roles set, pins, settings',
      `${n('join answered')}, ${n('set role answered') + n('transfer ownership answered')}, ${n('pin answered')}, ${n('set visibility answered')}`,
    ],
    ['streams resumed', n('streams RESUMED')],
    ['messages sent through the outbox', n('outbox sent')],
    ['files sent, checked', `${n('files sent')}, ${n('files checked')}`],
    ['encrypted group: members added, removed', `${n('sealed added')}, ${n('sealed removed')}`],
    [
      'encrypted group: commits, races, texts sent, read',
      `${n('sealed commits')}, ${n('sealed races')}, ${n('sealed texts sent')}, ${n('sealed texts read')}`,
    ],
    ['presence checked', n('presence checked')],
    ['nodes killed, restarted, frozen', `${n('node killed')}, ${n('node restarted')}, ${n('node frozen')}`],
    [
      'Redis killed, frozen, emptied, subscribers cut',
      `${n('Redis killed')}, ${n('Redis frozen')}, ${n('Redis emptied')}, ${n('Redis subscribers cut')}`,
    ],
    ['Redis failed over, slots moved', `${n('Redis failed over')}, ${n('Redis slots moved')}`],
    ['failed starts', n('failed starts')],
    ['Postgres restarted, at once', `${n('Postgres restarted')}, ${n('Postgres restarted at once')}`],
    ['files taken away', n('files taken away')],
    ['sockets cut, readers slowed', `${n('sockets cut')}, ${n('readers slowed')}`],
    ['copies, dropped answers', `${n('copies')}, ${n('dropped answers')}`],
    ['RESET', n('streams RESET')],
    ['acknowledged sends lost', n('sends lost')],
    ...anomalies.map((kind): [string, number] => [`deliveries ${kind}`, anomalyCounts[kind]]),
    ['violations', record.violationCount],
  ]
  return ['| What | Count |', '|---|---|', ...rows.map(([what, much]) => `| ${what} | ${much} |`)].join('\n')
}
