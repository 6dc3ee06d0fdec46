// A storm: every device is cut at once, and comes back with what it missed; for comparison the same devices come back with
// nothing missed. Both connect, authenticate, subscribe from their cursor, and wait until the stream is live. Devices of ejabberd
// ask its archive for what came after the last message that they have.

import { setTimeout as delay } from 'node:timers/promises'
import type { Devices, Opening } from '../clients/devices.ts'
import { query } from '../kit/backends.ts'
import { type Child, type Measurable, startChild } from '../kit/child.ts'
import { events } from '../kit/documents.ts'
import { namesOf, noteOf, openEjabberd, waitUntilIdle } from '../kit/ejabberd.ts'
import type { Line, Result, Setting } from '../kit/line.ts'
import { ask, type Conversation, createGroup, createPeople, settle, startNode } from '../kit/node.ts'
import { median, number, times } from '../kit/stats.ts'
import { uuidv7 } from '../kit/uuid.ts'
import { XmppSession } from '../kit/xmpp.ts'

const full = { devices: 5_000, devicesEach: 2, groupSize: 10, rounds: 5 }
const small = { devices: 100, devicesEach: 2, groupSize: 10, rounds: 2 }
const missed = 10
/** Two processes together stay below the 511 connections that a Node server keeps waiting. */
const atOnce = 200
const send = 'mutation S($input: SendMessageInput!) { sendMessage(input: $input) { cursor } }'

type Measured = { readonly ms: number; readonly statements: number; readonly cpuMs: number }
/** A server with its devices. `sendAll` sends a number of messages to each group; `settle` waits for the work after the sends. */
type Stage = {
  readonly server: Measurable
  readonly databaseUrl: string
  readonly processes: readonly Child<Devices>[]
  sendAll(count: number): Promise<void>
  settle(): Promise<void>
}

/** Opens devices in two processes; each has the devices of half of the people. */
async function openDevices(
  opening: Pick<Opening, 'kind' | 'url' | 'query'>,
  people: readonly (readonly string[])[],
): Promise<Child<Devices>[]> {
  const processes = await Promise.all([startChild<Devices>('clients/devices'), startChild<Devices>('clients/devices')])
  const half = Math.ceil(people.length / 2)
  await Promise.all(
    processes.map((process, index) => {
      const devices = people.slice(index * half, (index + 1) * half).flat()
      return process.call('open', 'storm', { ...opening, devices, localAddress: `127.0.0.${index + 1}`, atOnce })
    }),
  )
  return processes
}

const textOfMissed = (index: number) => `what was missed, ${index}`

async function open(setting: Setting): Promise<Stage> {
  const { devices, devicesEach, groupSize } = setting.isSmall ? small : full
  const node = await startNode(await setting.backends.createDatabase('storm'))
  const { databaseUrl, url } = node
  const people = await createPeople(databaseUrl, devices / devicesEach, devicesEach)
  const rooms: Conversation[] = []
  for (let from = 0; from < people.length; from += groupSize) {
    rooms.push(await createGroup(node, `Group ${from}`, people.slice(from, from + groupSize)))
  }
  const sendOne = ({ id, members: [sender] }: Conversation, text: string) =>
    ask(url, send, { input: { conversationId: id, clientMessageId: uuidv7(), text } }, sender?.tokens[0] ?? '')
  return {
    server: node,
    databaseUrl,
    processes: await openDevices(
      { kind: 'parley', url: node.socketUrl, query: events },
      people.map(({ tokens }) => tokens),
    ),
    async sendAll(count) {
      for (let index = 0; index < count; index += 1) {
        await Promise.all(rooms.map((room) => sendOne(room, textOfMissed(index))))
      }
    },
    settle: () => settle(databaseUrl),
  }
}

/** The same with ejabberd; null if it is not installed. The senders sign in for their sends, and leave. */
async function openXmpp(setting: Setting): Promise<Stage | null> {
  const { devices, devicesEach, groupSize } = setting.isSmall ? small : full
  const groups = namesOf(devices / devicesEach / groupSize, groupSize)
  const server = await openEjabberd(setting.backends, 'storm_ejabberd', groups)
  if (!server) return null
  const { socketUrl: url, databaseUrl, rooms } = server
  const people = groups.flat().map((user) => Array.from({ length: devicesEach }, () => user))
  const sendTo = async (room: string, user: string, count: number) => {
    const sender = await XmppSession.open(url, user)
    for (let index = 0; index < count; index += 1) await sender.send(room, textOfMissed(index))
    sender.cut()
  }
  return {
    server,
    databaseUrl,
    processes: await openDevices({ kind: 'xmpp', url }, people),
    async sendAll(count) {
      if (count > 0) await Promise.all(groups.map(([user = ''], index) => sendTo(rooms[index] ?? '', user, count)))
    },
    settle: () => waitUntilIdle(server),
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
async function storm({ server, databaseUrl, processes, sendAll, settle }: Stage, count: number): Promise<Measured> {
  await Promise.all(processes.map((process) => process.call('keep', 'storm')))
  await Promise.all(processes.map((process) => process.call('cut', 'storm')))
  await sendAll(count)
  await settle()
  await delay(1_000)
  const [before, cpu] = [await countStatements(databaseUrl), await server.call('cpu')]
  const begun = performance.now()
  await Promise.all(processes.map((process) => process.call('resume', 'storm', count)))
  const ms = performance.now() - begun
  const cpuMs = ((await server.call('cpu')) - cpu) / 1_000
  return { ms, cpuMs, statements: (await countStatements(databaseUrl)) - before }
}

/** The rounds of one server. */
type Measurements = { readonly title: string; readonly stage: Stage; readonly plain: Measured[]; readonly behind: Measured[] }

async function prepare(title: string, stage: Stage): Promise<Measurements> {
  await query(stage.databaseUrl, (client) => client.query('create extension if not exists pg_stat_statements'))
  // Devices without a fact yet are at the head of their start; one message gives all of them a place.
  await stage.sendAll(1)
  await delay(1_000)
  for (const count of [0, missed]) await storm(stage, count)
  return { title, stage, plain: [], behind: [] }
}

export const stormLine: Line = {
  name: 'storm',
  title: 'Storm: all devices come back at once',
  async run(setting): Promise<Result> {
    const { devices, devicesEach, groupSize, rounds } = setting.isSmall ? small : full
    const own = await prepare('', await open(setting))
    const peer = await openXmpp(setting)
    const all = peer ? [own, await prepare('ejabberd, ', peer)] : [own]
    for (let round = 0; round < rounds; round += 1) {
      for (const { title, stage, plain, behind } of round % 2 === 0 ? all : all.toReversed()) {
        for (const into of round % 2 === 0 ? [plain, behind] : [behind, plain]) {
          into.push(await storm(stage, into === behind ? missed : 0))
        }
        const [late = Number.NaN, early = Number.NaN] = [behind.at(-1)?.ms, plain.at(-1)?.ms]
        setting.say(`  ${title}${number(late)} ms with what was missed, ${number(early)} ms without`)
      }
    }
    const { plain, behind } = own
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
      rows: all.flatMap((one) => [
        row(`${one.title}plain: nothing missed`, one.plain),
        row(`${one.title}${missed} messages behind`, one.behind),
      ]),
      goals: [{ goal: 'Catching up takes at most 1.5x as long as coming back', measured: times(ratio), isMet: ratio <= 1.5 }],
      figures: {
        'catching up against coming back': { better: 'lower', rounds: ratios },
        'statements of catching up': { better: 'lower', rounds: behind.map(({ statements }) => statements) },
      },
      notes: [
        `${number(devices)} devices of ${number(devices / devicesEach)} people in groups of ${groupSize}, cut by the client without a close frame; each process lets ${atOnce} devices connect at the same time, so that no connection is refused. ${rounds} rounds, in turns.`,
        'Every device must get exactly what it missed. Statements are counted by pg_stat_statements, including those of following the journal.',
        noteOf(
          peer !== null,
          'Its devices sign in, make a new session, send their presence, and ask the archive of their user for what came after the last message that they have; those that missed nothing ask too.',
        ),
      ],
    }
  },
}
