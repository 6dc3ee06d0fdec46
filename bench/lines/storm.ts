// A storm: every device is cut at once, and comes back with what it missed; for comparison the same devices come back with
// nothing missed. Both connect, authenticate, subscribe from their cursor, and wait until the stream is live.

import { setTimeout as delay } from 'node:timers/promises'
import type { Devices } from '../clients/devices.ts'
import { query } from '../kit/backends.ts'
import { type Child, startChild } from '../kit/child.ts'
import { events } from '../kit/documents.ts'
import type { Line, Result, Setting } from '../kit/line.ts'
import { ask, type Conversation, createGroup, createPeople, type Node, type Person, settle, startNode } from '../kit/node.ts'
import { median, number, times } from '../kit/stats.ts'
import { uuidv7 } from '../kit/uuid.ts'

const full = { devices: 5_000, devicesEach: 2, groupSize: 10, rounds: 5 }
const small = { devices: 100, devicesEach: 2, groupSize: 10, rounds: 2 }
const missed = 10
/** Two processes together stay below the 511 connections that a Node server keeps waiting. */
const atOnce = 200
const send = 'mutation S($input: SendMessageInput!) { sendMessage(input: $input) { cursor } }'

type Measured = { readonly ms: number; readonly statements: number; readonly cpuMs: number }
type Stage = { readonly node: Node; readonly rooms: readonly Conversation[]; readonly processes: readonly Child<Devices>[] }

async function open(setting: Setting): Promise<Stage> {
  const { devices, devicesEach, groupSize } = setting.isSmall ? small : full
  const node = await startNode(await setting.backends.createDatabase('storm'))
  await query(node.databaseUrl, (client) => client.query('create extension if not exists pg_stat_statements'))
  const people = await createPeople(node.databaseUrl, devices / devicesEach, devicesEach)
  const rooms: Conversation[] = []
  for (let from = 0; from < people.length; from += groupSize) {
    rooms.push(await createGroup(node, `Group ${from}`, people.slice(from, from + groupSize)))
  }
  const processes = await Promise.all([startChild<Devices>('clients/devices'), startChild<Devices>('clients/devices')])
  const tokensOf = (group: readonly Person[]) => group.flatMap(({ tokens }) => tokens)
  const half = Math.ceil(people.length / 2)
  await Promise.all(
    processes.map((process, index) =>
      process.call('open', 'storm', {
        kind: 'parley',
        url: node.socketUrl,
        query: events,
        devices: tokensOf(people.slice(index * half, (index + 1) * half)),
        localAddress: `127.0.0.${index + 1}`,
        atOnce,
      }),
    ),
  )
  return { node, rooms, processes }
}

/** Sends a number of messages to each group. */
async function sendAll({ node, rooms }: Stage, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    await Promise.all(
      rooms.map(({ id, members: [sender] }) =>
        ask(
          node.url,
          send,
          { input: { conversationId: id, clientMessageId: uuidv7(), text: `what was missed, ${index}` } },
          sender?.tokens[0] ?? '',
        ),
      ),
    )
  }
}

/** The number of statements run in the node's database so far. */
const countStatements = (databaseUrl: string) =>
  query(databaseUrl, async (client) => {
    const { rows } = await client.query<{ calls: string }>(
      `select coalesce(sum(calls), 0) as calls from pg_stat_statements s join pg_database d on d.oid = s.dbid
        where d.datname = current_database() and query !~ 'pg_stat_statements|set_config'`,
    )
    return Number(rows[0]?.calls)
  })

/** Cuts all at once, sends some messages, and lets all come back. */
async function storm(stage: Stage, count: number): Promise<Measured> {
  const { node, processes } = stage
  await Promise.all(processes.map((process) => process.call('keep', 'storm')))
  await Promise.all(processes.map((process) => process.call('cut', 'storm')))
  await sendAll(stage, count)
  await settle(node.databaseUrl)
  await delay(1_000)
  const [before, cpu] = [await countStatements(node.databaseUrl), await node.call('cpu')]
  const begun = performance.now()
  await Promise.all(processes.map((process) => process.call('resume', 'storm', count)))
  const ms = performance.now() - begun
  const cpuMs = ((await node.call('cpu')) - cpu) / 1_000
  return { ms, cpuMs, statements: (await countStatements(node.databaseUrl)) - before }
}

export const stormLine: Line = {
  name: 'storm',
  title: 'Storm: all devices come back at once',
  async run(setting): Promise<Result> {
    const { devices, devicesEach, groupSize, rounds } = setting.isSmall ? small : full
    const stage = await open(setting)
    // Devices without a fact yet are at the head of their start; one message gives all of them a place.
    await sendAll(stage, 1)
    await delay(1_000)
    for (const count of [0, missed]) await storm(stage, count)
    const [plain, behind]: [Measured[], Measured[]] = [[], []]
    for (let round = 0; round < rounds; round += 1) {
      const order = round % 2 === 0 ? [plain, behind] : [behind, plain]
      for (const into of order) into.push(await storm(stage, into === behind ? missed : 0))
      setting.say(`  ${number(behind.at(-1)?.ms ?? 0)} ms with what was missed, ${number(plain.at(-1)?.ms ?? 0)} ms without`)
    }
    const middle = (of: readonly Measured[], key: keyof Measured) => median(of.map((one) => one[key]))
    const ratios = behind.map(({ ms }, round) => ms / (plain[round]?.ms ?? Number.NaN))
    const ratio = median(ratios)
    const row = (title: string, of: readonly Measured[]) => [
      title,
      number(middle(of, 'ms')),
      number((devices / middle(of, 'ms')) * 1_000),
      number((middle(of, 'cpuMs') / devices) * 1_000),
      number(middle(of, 'statements')),
    ]
    return {
      columns: ['What', 'until all are live, ms', 'devices a second', 'server CPU each, µs', 'statements'],
      rows: [row('plain: nothing missed', plain), row(`${missed} messages behind`, behind)],
      goals: [{ goal: 'Catching up takes at most 1.5x as long as coming back', measured: times(ratio), isMet: ratio <= 1.5 }],
      figures: {
        'catching up against coming back': { better: 'lower', rounds: ratios },
        'statements of catching up': { better: 'lower', rounds: behind.map(({ statements }) => statements) },
      },
      notes: [
        `${number(devices)} devices of ${number(devices / devicesEach)} people in groups of ${groupSize}, cut by the client without a close frame; each process lets ${atOnce} devices connect at the same time, so that no connection is refused. ${rounds} rounds, in turns.`,
        'Every device must get exactly what it missed. Statements are counted by pg_stat_statements, including those of following the journal.',
      ],
    }
  },
}
