// Memory: what an idle, subscribed device costs a server.

import { setTimeout as delay } from 'node:timers/promises'
import type { Devices, Kind } from '../clients/devices.ts'
import { type Child, startChild } from '../kit/child.ts'
import { events, peerEvents } from '../kit/documents.ts'
import type { Line, Result, Setting } from '../kit/line.ts'
import { createGroup, createPeople, type Node, startNode } from '../kit/node.ts'
import type { Memory } from '../kit/parent.ts'
import { number } from '../kit/stats.ts'
import type { RawServer } from '../servers/raw.ts'
import type { StockServer } from '../servers/stock.ts'

const full = { devices: 10_000, warmUp: 500, groupSize: 20, groupsEach: 4, settleMs: 15_000 }
const small = { devices: 100, warmUp: 20, groupSize: 10, groupsEach: 2, settleMs: 300 }
const devicesEach = 2
const goalBytes = 25 * 1_024

type Name = 'parley' | 'stock' | 'raw'
const titles: Record<Name, string> = {
  parley: 'Parley',
  stock: "Yoga's recipe with graphql-ws",
  raw: '`ws` alone',
}
type Server = {
  readonly child: Pick<Child<RawServer>, 'call' | 'stop'>
  readonly kind: Kind
  readonly url: string
  readonly query: string
  readonly tokens: readonly string[] | null
}

/** A node with users who have two devices each, and are in several groups each. */
async function openParley(setting: Setting): Promise<Server> {
  const { devices, groupSize, groupsEach } = setting.isSmall ? small : full
  const founder = await startNode(await setting.backends.createDatabase('memory'))
  const people = await createPeople(founder.databaseUrl, devices / devicesEach, devicesEach)
  for (let round = 0; round < groupsEach; round += 1) {
    // Each round shuffles the users, so that the groups of one user have different members.
    const step = people.length / groupSize
    for (let group = 0; group < step; group += 1) {
      const members = Array.from({ length: groupSize }, (_, n) => people[((group + n * round) % step) + n * step])
      await createGroup(
        founder,
        `Group ${round}-${group}`,
        members.filter((member) => member !== undefined),
      )
    }
  }
  // A fresh process: this one has free memory left from making the groups, which would hide the cost.
  await founder.stop()
  const node: Node = await startNode(founder.databaseUrl)
  const tokens = people.flatMap((person) => person.tokens)
  return { child: node as unknown as Server['child'], kind: 'parley', url: node.socketUrl, query: events, tokens }
}

async function openServer(name: Name, setting: Setting): Promise<Server> {
  if (name === 'parley') return openParley(setting)
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
      return process.call('open', 'idle', { kind, url, query, devices, localAddress: `127.0.0.${index + 1}`, atOnce: 20 })
    }),
  )
  return processes
}

/** What each device adds to a process that has already served some. */
async function measure(name: Name, setting: Setting): Promise<{ each: Memory; idle: Memory }> {
  const { devices, warmUp, settleMs } = setting.isSmall ? small : full
  const server = await openServer(name, setting)
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
    for (const name of ['parley', 'stock', 'raw'] as const) {
      const { each, idle } = await measure(name, setting)
      if (name === 'parley') own = Math.max(each.rss, each.heap + each.external)
      const kib = (bytes: number) => number(bytes / 1_024, 1)
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
      ],
    }
  },
}
