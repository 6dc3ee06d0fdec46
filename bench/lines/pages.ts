// Pages: what a page of fifty messages, or fifty conversations, costs a server over HTTP.

import type { Read, Readers, Request } from '../clients/readers.ts'
import { type Child, startChild } from '../kit/child.ts'
import { history as historyDocument, conversations as listDocument } from '../kit/documents.ts'
import type { Line, Result, Setting } from '../kit/line.ts'
import { type Conversation, createGroup, createPeople, type Node, type Person, settle, startNode } from '../kit/node.ts'
import { inRounds, median, number, times } from '../kit/stats.ts'
import type { Pair, Recorded } from '../servers/parley.ts'
import type { PlainServer } from '../servers/plain.ts'

const full = { groups: 60, people: 20, messagesEach: 8, requests: 2_000, rounds: 5 }
const small = { groups: 55, people: 4, messagesEach: 20, requests: 100, rounds: 2 }
const underWay = 8
const recordings = 5

type Page = 'history' | 'list'
type Name = `${'parley' | 'plain'} ${Page}`
const names: readonly Name[] = ['parley history', 'plain history', 'parley list', 'plain list']
const titles: Record<Page, string> = { history: 'history, 50 messages', list: 'list, 50 conversations' }
type Measured = Read & { readonly cpu: number }

/** A user's request for a page. */
export function pageRequest(url: string, query: string, variables: object, { tokens }: Person): Request {
  return {
    url,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${tokens[0]}` },
    body: JSON.stringify({ query, variables }),
  }
}

/** Sends a request once; returns the statements that it made the node run. */
async function record(node: Node, { url, headers, body }: Request): Promise<readonly Recorded[]> {
  const all: (readonly Recorded[])[] = []
  for (let attempt = 0; attempt < recordings; attempt += 1) {
    await node.call('record')
    const text = await (await fetch(url, { method: 'POST', headers, body })).text()
    if (text.includes('"errors"')) throw new Error(text)
    all.push(await node.call('recorded'))
  }
  // The node's own regular statements may have come between: the shortest list is the request alone.
  return all.reduce((shortest, one) => (one.length < shortest.length ? one : shortest))
}

async function openRequests(node: Node, setting: Setting): Promise<Record<Page, Request[]>> {
  const { groups, people: count, messagesEach } = setting.isSmall ? small : full
  const people = await createPeople(node.databaseUrl, count)
  const rooms: Conversation[] = []
  for (let index = 0; index < groups; index += 1) rooms.push(await createGroup(node, `Group ${index}`, people))
  const pairs = rooms.flatMap((room) => people.map((person): Pair => [room.number, person.number]))
  await node.call('fill', pairs, messagesEach)
  await settle(node.databaseUrl)
  return {
    history: people.map((person, n) => pageRequest(node.url, historyDocument, { id: rooms[n % rooms.length]?.id }, person)),
    list: people.map((person) => pageRequest(node.url, listDocument, {}, person)),
  }
}

async function measureAll(setting: Setting): Promise<{ measured: Record<Name, Measured[]>; statements: Record<Page, number> }> {
  const { requests: count, rounds } = setting.isSmall ? small : full
  const node = await startNode(await setting.backends.createDatabase('pages'))
  const requests = await openRequests(node, setting)
  const plain = await startChild<PlainServer>('servers/plain', { databaseUrl: node.databaseUrl })
  const readers = await startChild<Readers>('clients/readers')
  const all = [...requests.history, ...requests.list]
  await readers.call('read', all, all.length * 2, underWay)
  const recorded: (readonly Recorded[])[] = []
  for (const request of all) recorded.push(await record(node, request))
  await plain.call('load', recorded)
  const plainUrl = `http://127.0.0.1:${await plain.call('port')}`
  const plainRequests = all.map(({ body }, index): Request => ({ url: `${plainUrl}/${index}`, headers: {}, body }))
  const split = requests.history.length
  const of: Record<Name, { server: Pick<Child<PlainServer>, 'call'>; requests: readonly Request[] }> = {
    'parley history': { server: node as unknown as Child<PlainServer>, requests: requests.history },
    'plain history': { server: plain, requests: plainRequests.slice(0, split) },
    'parley list': { server: node as unknown as Child<PlainServer>, requests: requests.list },
    'plain list': { server: plain, requests: plainRequests.slice(split) },
  }
  const measure = async (name: Name, requestCount: number): Promise<Measured> => {
    const { server, requests } = of[name]
    const before = await server.call('cpu')
    const read = await readers.call('read', requests, requestCount, underWay)
    return { ...read, cpu: ((await server.call('cpu')) - before) / requestCount }
  }
  for (const name of names) await measure(name, count / 2)
  const measured = await inRounds(rounds, names, async (name) => {
    const one = await measure(name, count)
    setting.say(`  ${name}: ${number(one.cpu)} µs`)
    return one
  })
  return { measured, statements: { history: recorded[0]?.length ?? 0, list: recorded[split]?.length ?? 0 } }
}

export const pages: Line = {
  name: 'pages',
  title: 'Pages: reading history and the list of conversations',
  async run(setting): Promise<Result> {
    const { groups, people, messagesEach, requests, rounds } = setting.isSmall ? small : full
    const { measured, statements } = await measureAll(setting)
    const middle = (name: Name, key: keyof Measured) => median(measured[name].map((m) => m[key]))
    const ratios = (page: Page) =>
      measured[`parley ${page}`].map((m, round) => m.cpu / (measured[`plain ${page}`][round]?.cpu ?? Number.NaN))
    const ratio = (page: Page) => median(ratios(page))
    const row = (page: Page, who: 'parley' | 'plain') => {
      const name: Name = `${who} ${page}`
      return [
        titles[page],
        who === 'parley' ? 'Parley, GraphQL over HTTP' : '`pg` and JSON.stringify over node:http',
        number(middle(name, 'cpu')),
        number((requests / middle(name, 'ms')) * 1_000),
        number(middle(name, 'p50'), 1),
        number(middle(name, 'p99'), 1),
        number(middle(name, 'bytes')),
        String(statements[page]),
      ]
    }
    const all: readonly Page[] = ['history', 'list']
    return {
      columns: ['Page', 'Server', 'CPU each, µs', 'requests a second', 'p50, ms', 'p99, ms', 'bytes', 'statements'],
      rows: all.flatMap((page) => [row(page, 'parley'), row(page, 'plain')]),
      goals: all.map((page) => ({
        goal: `${titles[page]}: at most 2x the plain server`,
        measured: times(ratio(page)),
        isMet: ratio(page) <= 2,
      })),
      figures: Object.fromEntries(
        all.map((page) => [`${titles[page]}: CPU against the plain server`, { better: 'lower', rounds: ratios(page) }]),
      ),
      notes: [
        `${groups} groups of the same ${people} people with ${number(messagesEach * people)} messages each; ${number(requests)} requests a round, ${underWay} under way, ${rounds} rounds in turns. CPU is that of the server process alone, without Postgres.`,
        'The plain server runs the very statements that the node ran for the same request, one after another, and answers with their rows; it checks no token and parses no body.',
      ],
    }
  },
}
