// Ingest: how many messages a second are stored, answered and delivered, with every commit on disk.

import { execFile } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import type { ChattersApi, Room } from '../clients/chatters.ts'
import { findProgram, query } from '../kit/backends.ts'
import { type Child, type Measurable, startChild } from '../kit/child.ts'
import { type Ejabberd, namesOf, noteOf, openEjabberd } from '../kit/ejabberd.ts'
import { textOf } from '../kit/fact.ts'
import type { Line, Result, Setting } from '../kit/line.ts'
import { type Conversation, createGroup, createPeople, type Node, settle, startNode } from '../kit/node.ts'
import { inRounds, median, number, times } from '../kit/stats.ts'
import type { StockServer } from '../servers/stock.ts'
import * as stockTables from '../stock/tables.ts'

const run = promisify(execFile)
const membersEach = 5
const full = { rooms: 100, underWay: 64, ms: 8_000, rounds: 5 }
const small = { rooms: 10, underWay: 8, ms: 700, rounds: 2 }

type Name = 'parley' | 'ejabberd' | 'stock' | 'append' | 'pgbench'
const titles: Record<Name, string> = {
  parley: 'Parley, `sendMessage` over graphql-ws',
  ejabberd: "ejabberd, a room's message over WebSocket",
  stock: "Yoga's recipe with graphql-ws, Prisma `create`",
  append: "Parley's append path alone, in process",
  pgbench: 'pgbench, one INSERT a transaction',
}
/** The result of a round: messages a second, and, if known, the CPU for each message and the times of the answers. */
type Measured = {
  readonly rate: number
  readonly cpu?: number
  readonly clientCpu?: number
  readonly p50?: number
  readonly p99?: number
}

/** Groups of five, each with its own users. */
export async function createRooms(node: Node, count: number): Promise<Conversation[]> {
  const people = await createPeople(node.databaseUrl, count * membersEach)
  const rooms: Conversation[] = []
  for (let index = 0; index < count; index += 1) {
    rooms.push(await createGroup(node, `Room ${index}`, people.slice(index * membersEach, (index + 1) * membersEach)))
  }
  return rooms
}

/** The rooms of the chatters: the first member sends, and some of the others listen. */
export function chatRooms(rooms: readonly Conversation[], listeners: number): Room[] {
  return rooms.map(({ id, members: [sender, ...others] }) => ({
    id,
    senderId: 0,
    senderToken: sender?.tokens[0] ?? '',
    listenerTokens: others.slice(0, listeners).map(({ tokens }) => tokens[0] ?? ''),
  }))
}

/** Opens ejabberd, and chatters in rooms like Parley's, under its name; null if it is not installed. */
export async function openEjabberdChat(
  { backends }: Setting,
  database: string,
  chatters: Child<ChattersApi>,
  rooms: number,
): Promise<Ejabberd | null> {
  const groups = namesOf(rooms, membersEach)
  const ejabberd = await openEjabberd(backends, database, groups)
  if (!ejabberd) return null
  await chatters.call('open', 'ejabberd', {
    kind: 'ejabberd',
    sendUrl: ejabberd.socketUrl,
    listenUrl: ejabberd.socketUrl,
    rooms: groups.map(([sender, listener = ''], index) => ({
      id: ejabberd.rooms[index] ?? '',
      senderId: 0,
      senderToken: sender ?? '',
      listenerTokens: [listener],
    })),
  })
  return ejabberd
}

/** Sends with a fixed number under way; returns the cost. */
export async function measureChat(
  chatters: Child<ChattersApi>,
  name: string,
  server: Measurable,
  underWay: number,
  ms: number,
): Promise<Measured & { readonly cpu: number }> {
  const [before, clientBefore] = [await server.call('cpu'), await chatters.call('cpu')]
  const { sent, ms: took, p50, p99 } = await chatters.call('closed', name, underWay, ms)
  const [cpu, clientCpu] = [(await server.call('cpu')) - before, (await chatters.call('cpu')) - clientBefore]
  return { rate: (sent / took) * 1_000, cpu: cpu / sent, clientCpu: clientCpu / sent, p50, p99 }
}

/** The database of the stock recipe, with users and conversations. */
async function createStock(setting: Setting, rooms: number): Promise<string> {
  const databaseUrl = await setting.backends.createDatabase('ingest_stock')
  await query(databaseUrl, async (client) => {
    await client.query(stockTables.tables)
    await client.query(stockTables.people, [rooms * membersEach])
    await client.query(stockTables.conversations, [rooms])
  })
  return databaseUrl
}

/** Transactions a second of pgbench, with as many clients as sends under way; null if it is not installed. */
async function preparePgbench(
  databaseUrl: string,
  rooms: number,
  underWay: number,
): Promise<((ms: number) => Promise<number>) | null> {
  const pgbench = await findProgram('pgbench')
  if (!pgbench) return null
  const script = [
    `\\set room random(1, ${rooms})`,
    `\\set person random(1, ${rooms * membersEach})`,
    `insert into message(conversation_id, sender_id, text) values (:room, :person, '${textOf('0')}');`,
  ]
  return async (ms) => {
    const file = path.join(tmpdir(), `parley-bench-${process.pid}.sql`)
    await writeFile(file, `${script.join('\n')}\n`)
    const seconds = String(Math.max(1, Math.round(ms / 1_000)))
    const how = ['-n', '-M', 'prepared', '-c', String(underWay), '-j', '2', '-T', seconds, '-f', file]
    const { stdout } = await run(pgbench, [...how, databaseUrl])
    await rm(file, { force: true })
    return Number(/tps = ([\d.]+)/.exec(stdout)?.[1])
  }
}

async function measureAll(setting: Setting): Promise<{ measured: Record<Name, Measured[]>; names: readonly Name[] }> {
  const { backends, isSmall, say } = setting
  const { rooms, underWay, ms, rounds } = isSmall ? small : full
  const node = await startNode(await backends.createDatabase('ingest'))
  const conversations = await createRooms(node, rooms)
  const appendUrl = await backends.createDatabase('ingest_append')
  const founder = await startNode(appendUrl)
  const pairs = (await createRooms(founder, rooms)).map((room) => [room.number, room.members[0]?.number ?? 0] as const)
  await founder.stop()
  const append = await startNode(appendUrl, {}, false)
  const stockUrl = await createStock(setting, rooms)
  const stock = await startChild<StockServer>('servers/stock', { databaseUrl: stockUrl })
  const pgbench = await preparePgbench(stockUrl, rooms, underWay)
  const chatters = await startChild<ChattersApi>('clients/chatters')
  const stockSocket = `ws://127.0.0.1:${await stock.call('port')}/graphql`
  await chatters.call('open', 'parley', {
    kind: 'parley',
    sendUrl: node.socketUrl,
    listenUrl: node.socketUrl,
    rooms: chatRooms(conversations, 1),
  })
  await chatters.call('open', 'stock', {
    kind: 'stock',
    sendUrl: stockSocket,
    listenUrl: stockSocket,
    rooms: Array.from({ length: rooms }, (_, n) => ({ id: n + 1, senderId: n * membersEach + 1, listenerTokens: [''] })),
  })
  const ejabberd = await openEjabberdChat(setting, 'ingest_ejabberd', chatters, rooms)
  const runs: Record<Name, (ms: number) => Promise<Measured>> = {
    parley: (ms) => measureChat(chatters, 'parley', node, underWay, ms),
    ejabberd: (ms) => measureChat(chatters, 'ejabberd', ejabberd as Ejabberd, underWay, ms),
    stock: (ms) => measureChat(chatters, 'stock', stock, underWay, ms),
    append: async (ms) => {
      const before = await append.call('cpu')
      const rate = await append.call('append', pairs, underWay, ms)
      return { rate, cpu: ((await append.call('cpu')) - before) / ((rate * ms) / 1_000) }
    },
    pgbench: async (ms) => ({ rate: (await pgbench?.(ms)) ?? Number.NaN }),
  }
  const names: readonly Name[] = [
    'parley',
    ...(ejabberd ? (['ejabberd'] as const) : []),
    'stock',
    'append',
    ...(pgbench ? (['pgbench'] as const) : []),
  ]
  for (const name of names) await runs[name](ms / 4)
  const measured = await inRounds(rounds, names, async (name) => {
    if (!isSmall) await settle(node.databaseUrl)
    const one = await runs[name](ms)
    say(`  ${titles[name]}: ${number(one.rate)} a second`)
    return one
  })
  return { measured, names }
}

export const ingest: Line = {
  name: 'ingest',
  title: 'Ingest: storing messages',
  async run(setting): Promise<Result> {
    const { rooms, underWay, ms, rounds } = setting.isSmall ? small : full
    const { measured, names } = await measureAll(setting)
    const [hasEjabberd, hasPgbench] = [names.includes('ejabberd'), names.includes('pgbench')]
    const ratios = (name: Name, of: Name) => measured[name].map((m, round) => m.rate / (measured[of][round]?.rate ?? Number.NaN))
    const middle = (name: Name, key: keyof Measured, digits: number) => {
      const values = measured[name].map((m) => m[key]).filter((value) => value !== undefined)
      return values.length === 0 ? '' : number(median(values), digits)
    }
    const row = (name: Name) => [
      titles[name],
      middle(name, 'rate', 0),
      middle(name, 'cpu', 0),
      middle(name, 'clientCpu', 0),
      middle(name, 'p50', 1),
      middle(name, 'p99', 1),
    ]
    const ofStock = median(ratios('parley', 'stock'))
    const ofPgbench = hasPgbench ? median(ratios('append', 'pgbench')) : Number.NaN
    return {
      columns: ['What', 'messages a second', 'server CPU each, µs', 'client CPU each, µs', 'answer p50, ms', 'answer p99, ms'],
      rows: names.map(row),
      goals: [
        { goal: 'Parley at least 4x the recipe', measured: times(ofStock), isMet: ofStock >= 4 },
        {
          goal: "Parley's append path more than pgbench",
          measured: hasPgbench ? times(ofPgbench) : 'pgbench is not installed',
          isMet: ofPgbench > 1,
        },
      ],
      figures: {
        'against the recipe': { better: 'higher', rounds: ratios('parley', 'stock') },
        ...(hasEjabberd ? { 'against ejabberd': { better: 'higher', rounds: ratios('parley', 'ejabberd') } } : {}),
        ...(hasPgbench ? { 'append path against pgbench': { better: 'higher', rounds: ratios('append', 'pgbench') } } : {}),
      },
      notes: [
        `${underWay} sends under way at all times, in ${rooms} groups of ${membersEach} with one member listening in each; ${rounds} rounds of ${ms / 1_000} s each, in turns. A round ends when every listener has received everything.`,
        'Clients, server and Postgres share the cores. The recipe checks no membership, and stores one row a message with a serial number, two foreign keys and one index; pgbench inserts the same row in prepared statements. Parley stores a message, a fact and an idempotency key, checks membership, and indexes the text for search, which may end after the round; the next round waits for it.',
        `The append path and pgbench have ${underWay} clients each.`,
        noteOf(
          hasEjabberd,
          'It stores a message in one INSERT of one row with two indexes, and checks the membership in memory. It has no key against sending twice, and no index for search.',
        ),
      ],
    }
  },
}
