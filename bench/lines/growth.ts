// Growth: whether the number of stored messages matters.

import type { ChattersApi } from '../clients/chatters.ts'
import type { Readers, Request } from '../clients/readers.ts'
import { type Child, startChild } from '../kit/child.ts'
import { history } from '../kit/documents.ts'
import { fill } from '../kit/fill.ts'
import type { Line, Result, Setting } from '../kit/line.ts'
import { type Node, settle, startNode } from '../kit/node.ts'
import { inRounds, median, number, times } from '../kit/stats.ts'
import { chatRooms, createRooms } from './ingest.ts'
import { pageRequest } from './pages.ts'

const full = { sizes: [1_000, 1_000_000], underWay: 64, ingestMs: 5_000, requests: 2_000, rounds: 5 }
const small = { sizes: [1_000, 10_000], underWay: 16, ingestMs: 500, requests: 40, rounds: 2 }
const tenMillion = 10_000_000
const rooms = 20
const readersUnderWay = 8
const warmUpMs = 1_000

type Stage = { readonly node: Node; readonly chatters: Child<ChattersApi>; readonly requests: readonly Request[] }
type Read = { readonly rate: number; readonly cpu: number; readonly p50: number }

async function open(size: number, setting: Setting): Promise<Stage> {
  const founder = await startNode(await setting.backends.createDatabase(`growth_${size}`))
  const conversations = await createRooms(founder, rooms)
  await founder.stop()
  const begun = performance.now()
  await fill(founder.databaseUrl, conversations, size)
  setting.say(`  ${number(size)} messages stored in ${number((performance.now() - begun) / 1_000)} s`)
  const node = await startNode(founder.databaseUrl)
  const chatters = await startChild<ChattersApi>('clients/chatters')
  await chatters.call('open', 'chat', {
    kind: 'parley',
    sendUrl: node.socketUrl,
    listenUrl: node.socketUrl,
    rooms: chatRooms(conversations, 1),
  })
  // The newest page of each, and the oldest.
  const requests = [history, history.replace('last: 50', 'first: 50')].flatMap((document) =>
    conversations.flatMap(({ id, members }) =>
      members.slice(0, 1).map((member) => pageRequest(node.url, document, { id }, member)),
    ),
  )
  return { node, chatters, requests }
}

export const growth: Line = {
  name: 'growth',
  title: 'Growth: with many messages stored',
  async run(setting): Promise<Result> {
    const { sizes: fixed, underWay, ingestMs, requests, rounds } = setting.isSmall ? small : full
    const sizes = setting.isLong ? [...fixed, tenMillion] : fixed
    const stages = new Map<string, Stage>()
    for (const size of sizes) stages.set(String(size), await open(size, setting))
    const readers = await startChild<Readers>('clients/readers')
    const names = sizes.map(String)
    const stageOf = (name: string) => stages.get(name) as Stage
    const read = async (name: string, count: number): Promise<Read> => {
      const { node, requests: all } = stageOf(name)
      const before = await node.call('cpu')
      const { ms, p50 } = await readers.call('read', all, count, readersUnderWay)
      return { rate: (count / ms) * 1_000, cpu: ((await node.call('cpu')) - before) / count, p50 }
    }
    for (const name of names) await read(name, requests)
    const reading = await inRounds(rounds, names, (name) => read(name, requests))
    // Sends come last: they add to the stored messages.
    for (const name of names) await stageOf(name).chatters.call('closed', 'chat', underWay, setting.isSmall ? ingestMs : warmUpMs)
    const writing = await inRounds(rounds, names, async (name) => {
      const { chatters, node } = stageOf(name)
      if (!setting.isSmall) await settle(node.databaseUrl)
      const { sent, ms } = await chatters.call('closed', 'chat', underWay, ingestMs)
      return (sent / ms) * 1_000
    })
    const middle = (name: string, key: keyof Read) => median((reading[name] ?? []).map((one) => one[key]))
    const [least = ''] = names
    const ratiosOf = (name: string) => ({
      history: (reading[name] ?? []).map(({ rate }, round) => rate / (reading[least]?.[round]?.rate ?? Number.NaN)),
      ingest: (writing[name] ?? []).map((rate, round) => rate / (writing[least]?.[round] ?? Number.NaN)),
    })
    const larger = names.slice(1).flatMap((name) =>
      Object.entries(ratiosOf(name)).map(([what, rounds]) => ({
        rounds,
        name: `${what} with ${number(Number(name))} stored within 20 % of that with ${number(Number(least))}`,
      })),
    )
    return {
      columns: ['Messages stored', 'messages a second', 'history pages a second', 'history p50, ms', 'server CPU a page, µs'],
      rows: names.map((name) => [
        number(Number(name)),
        number(median(writing[name] ?? [])),
        number(middle(name, 'rate')),
        number(middle(name, 'p50'), 1),
        number(middle(name, 'cpu')),
      ]),
      goals: larger.map(({ name, rounds }) => ({ goal: name, measured: times(median(rounds)), isMet: median(rounds) >= 0.8 })),
      figures: Object.fromEntries(larger.map(({ name, rounds }) => [name, { better: 'higher', rounds }])),
      notes: [
        `In ${rooms} groups of 5. Sends as in the line of ingest, ${underWay} under way; pages of 50 over HTTP, the newest and the oldest of each group, ${readersUnderWay} under way; ${rounds} rounds in turns. Reading comes first, because sends add messages: by its last round the smallest database has some tens of thousands.`,
        'The stored messages were written straight into the tables, with their facts and without the search index (results-search.md has its cost).',
      ],
    }
  },
}
