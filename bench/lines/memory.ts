// Memory: what an idle, subscribed device costs a server.

import { setTimeout as delay } from 'node:timers/promises'
import type { Devices, Kind } from '../clients/devices.ts'
import { type Child, type Measurable, startChild } from '../kit/child.ts'
import { events, peerEvents } from '../kit/documents.ts'
import { noteOf, openEjabberd } from '../kit/ejabberd.ts'
import type { Line, Result, Setting } from '../kit/line.ts'
import { createGroup, createPeople, startNode } from '../kit/node.ts'
import type { Memory } from '../kit/parent.ts'
import { number } from '../kit/stats.ts'
import type { RawServer } from '../servers/raw.ts'
import type { StockServer } from '../servers/stock.ts'

const full = { devices: 10_000, warmUp: 500, groupSize: 20, groupsEach: 4, settleMs: 15_000 }
const small = { devices: 100, warmUp: 20, groupSize: 10, groupsEach: 2, settleMs: 300 }
const devicesEach = 2
const goalBytes = 25 * 1_024

type Name = 'parley' | 'ejabberd' | 'stock' | 'raw'
const titles: Record<Name, string> = {
  parley: 'Parley',
  ejabberd: 'ejabberd',
  stock: "Yoga's recipe with graphql-ws",
  raw: '`ws` alone',
}
type Server = {
  readonly child: Measurable & { stop(): Promise<void> }
  readonly kind: Kind
  readonly url: string
  readonly query?: string
  readonly tokens: readonly string[] | null
}

/** The groups: each round shuffles the people, so that the groups of one of them have different members. */
function groupsOf<Person>(people: readonly Person[], setting: Setting): Person[][] {
  const { groupSize, groupsEach } = setting.isSmall ? small : full
  const step = people.length / groupSize
  return Array.from({ length: groupsEach * step }, (_, index) => {
    const [round, group] = [Math.floor(index / step), index % step]
    return Array.from({ length: groupSize }, (_, n) => people[((group + n * round) % step) + n * step] as Person)
  })
}

/** A node with users who have two devices each, and are in several groups each. */
async function openParley(setting: Setting): Promise<Server> {
  const { devices } = setting.isSmall ? small : full
  const founder = await startNode(await setting.backends.createDatabase('memory'))
  const people = await createPeople(founder.databaseUrl, devices / devicesEach, devicesEach)
  for (const [index, members] of groupsOf(people, setting).entries()) await createGroup(founder, `Group ${index}`, members)
  // A fresh process: this one has free memory left from making the groups, which would hide the cost.
  await founder.stop()
  const node = await startNode(founder.databaseUrl)
  const tokens = people.flatMap((person) => person.tokens)
  return { child: node, kind: 'parley', url: node.socketUrl, query: events, tokens }
}

/** The same with ejabberd; null if it is not installed. */
async function openXmpp(setting: Setting): Promise<Server | null> {
  const { devices } = setting.isSmall ? small : full
  const users = Array.from({ length: devices / devicesEach }, (_, n) => `u${n}`)
  const child = await openEjabberd(setting.backends, 'memory_ejabberd', groupsOf(users, setting))
  const tokens = users.flatMap((user) => Array.from({ length: devicesEach }, () => user))
  return child && { child, kind: 'xmpp', url: child.socketUrl, tokens }
}

async function openServer(name: Name, setting: Setting): Promise<Server | null> {
  if (name === 'parley') return openParley(setting)
  if (name === 'ejabberd') return openXmpp(setting)
  const child = name === 'stock' ? await startChild<StockServer>('servers/stock') : await startChild<RawServer>('servers/raw')
  const [kind, path] = name === 'stock' ? (['graphql', '/graphql'] as const) : (['raw', '/'] as const)
  return { child, kind, url: `ws://127.0.0.1:${await child.call('port')}${path}`, query: peerEvents, tokens: null }
}

/** Opens and subscribes devices, in processes of their own. */
async function connect({ kind, url, query, tokens }: Server, count: number): Promise<Child<Devices>[]> {
  const processes = await Promise.all([startChild<Devices>('clients/devices'), startChild<Devices>('clients/devices')])
  const half = Math.ceil(count / 2)
  await Promise.all(
    processes.map((process, index) => {
      const [from, to] = [index * half, Math.min(count, (index + 1) * half)]
      const devices = tokens ? tokens.slice(from, to) : to - from
      return process.call('open', 'idle', {
        kind,
        url,
        devices,
        localAddress: `127.0.0.${index + 1}`,
        atOnce: 20,
        ...(query ? { query } : {}),
      })
    }),
  )
  return processes
}

/** What each device adds to a process that has already served some; null if the server is not installed. */
async function measure(name: Name, setting: Setting): Promise<{ each: Memory; idle: Memory } | null> {
  const { devices, warmUp, settleMs } = setting.isSmall ? small : full
  const server = await openServer(name, setting)
  if (!server) return null
  for (const process of await connect(server, warmUp)) await process.stop()
  await delay(settleMs)
  const idle = await server.child.call('memory')
  const processes = await connect(server, devices)
  await delay(settleMs)
  const busy = await server.child.call('memory')
  const counts = await Promise.all(processes.map((process) => process.call('counts', 'idle')))
  if (counts.some(({ closed }) => closed > 0)) throw new Error(`${name}: devices were closed`)
  for (const process of processes) await process.stop()
  await server.child.stop()
  const of = (key: keyof Memory) => (busy[key] - idle[key]) / devices
  const each = { rss: of('rss'), heap: of('heap'), external: of('external') }
  setting.say(`  ${titles[name]}: ${number(each.rss / 1_024, 1)} KiB`)
  return { each, idle }
}

export const memory: Line = {
  name: 'memory',
  title: 'Memory: devices that are connected and idle',
  async run(setting): Promise<Result> {
    const { devices, groupSize, groupsEach } = setting.isSmall ? small : full
    const rows: string[][] = []
    let own = Number.NaN
    let isEjabberdMeasured = false
    for (const name of ['parley', 'ejabberd', 'stock', 'raw'] as const) {
      const measured = await measure(name, setting)
      if (!measured) continue
      const { each, idle } = measured
      if (name === 'ejabberd') isEjabberdMeasured = true
      if (name === 'parley') own = Math.max(each.rss, each.heap + each.external)
      const kib = (bytes: number) => (Number.isNaN(bytes) ? '' : number(bytes / 1_024, 1))
      rows.push([titles[name], kib(each.rss), kib(each.heap), kib(each.external), number(idle.rss / 2 ** 20, 0)])
    }
    return {
      columns: ['Server', 'resident, KiB a device', 'heap, KiB', 'outside the heap, KiB', 'idle process, MiB'],
      rows,
      goals: [{ goal: 'Parley at most 25 KiB a device', measured: `${number(own / 1_024, 1)} KiB`, isMet: own <= goalBytes }],
      figures: { 'KiB a device': { better: 'lower', rounds: [own / 1_024] } },
      notes: [
        `${number(devices)} devices of ${number(devices / devicesEach)} people, each subscribed to \`events\`, each with an access token of its own; each of them is in ${groupsEach} groups of ${groupSize}.`,
        'Relative to the same process after it has served some devices that have left. Measured after full collections and a pause. What the kernel keeps for sockets is not counted. The goal applies to the resident memory, or to the heap and what is outside of it if that is more.',
        noteOf(
          isEjabberdMeasured,
          'Every Erlang process collects its garbage before each measurement; their heaps are not told apart from the rest. The rooms are in memory, in the idle process too.',
        ),
      ],
    }
  },
}
