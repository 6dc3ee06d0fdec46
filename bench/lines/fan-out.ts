// Fan-out: what it costs a server to deliver one message to many devices. Parley's figure includes the sends and their storage;
// the peers publish over their own channel, and store nothing.

import { setTimeout as delay } from 'node:timers/promises'
import type { Devices, Kind } from '../clients/devices.ts'
import { type Child, type Measurable, startChild, stopChildren } from '../kit/child.ts'
import { events, peerEvents, sendMessage } from '../kit/documents.ts'
import { namesOf, noteOf, openEjabberd } from '../kit/ejabberd.ts'
import { textOf } from '../kit/fact.ts'
import type { Line, Result, Setting } from '../kit/line.ts'
import { createGroup, createPeople, type Node, startNode } from '../kit/node.ts'
import { Operations } from '../kit/operations.ts'
import { inRounds, median, number, times } from '../kit/stats.ts'
import { uuidv7 } from '../kit/uuid.ts'
import { XmppSession } from '../kit/xmpp.ts'
import type { MercuriusServer } from '../servers/mercurius.ts'
import type { RawServer } from '../servers/raw.ts'
import type { SocketIoServer } from '../servers/socket-io.ts'
import type { StockServer } from '../servers/stock.ts'

type Name = 'parley' | 'raw' | 'socketIo' | 'ejabberd' | 'stock' | 'mercurius'
const titles: Record<Name, string> = {
  parley: 'Parley, with the sends',
  raw: '`ws`, one string a socket',
  socketIo: 'Socket.IO with its Redis adapter',
  ejabberd: 'ejabberd, with the sends',
  stock: "Yoga's recipe with graphql-ws",
  mercurius: 'Mercurius, jit on',
}
/** The number of devices, messages a second, the duration of a round, and the number of rounds. */
type Scale = { readonly devices: number; readonly perSecond: number; readonly facts: number; readonly rounds: number }
const scales: readonly Scale[] = [
  { devices: 1_000, perSecond: 20, facts: 200, rounds: 5 },
  { devices: 10_000, perSecond: 2, facts: 20, rounds: 5 },
]
const smallScales: readonly Scale[] = [{ devices: 50, perSecond: 50, facts: 20, rounds: 2 }]
const members = 100
const socketsOfProcess = 12_000
const patienceMs = 30_000

/** A server that publishes to its devices on command. `areSubscribed` waits until so many devices are, if they do not know it. */
type Peer = {
  readonly server: Measurable & { stop(): Promise<void> }
  readonly kind: Kind
  readonly url: string
  readonly query?: string
  readonly tokens: readonly string[] | null
  areSubscribed?(devices: number): Promise<void>
  publish(text: string): Promise<unknown>
}
/** In the order of the page; without ejabberd if it is not installed. */
type Peers = ReadonlyMap<Name, Peer>
type Measured = { readonly micros: number; readonly bytes: number }

async function openPeers({ backends }: Setting, devices: number): Promise<{ peers: Peers; node: Node; sendCost: SendCost }> {
  const databaseUrl = await backends.createDatabase(`fan_out_${devices}`)
  const node = await startNode(databaseUrl, { REDIS_URL: backends.redisUrl })
  const people = await createPeople(databaseUrl, members, Math.ceil(devices / members))
  const conversation = await createGroup(node, 'Everybody', people)
  const lonely = await createGroup(node, 'Nobody listens', await createPeople(databaseUrl, 2))
  const [sender, alone] = await Promise.all(
    [people, lonely.members].map(([one]) => Operations.open(node.socketUrl, one?.tokens[0])),
  )
  const send = (who: Operations | undefined, conversationId: string) => (text: string) =>
    who?.ask(sendMessage, { input: { conversationId, clientMessageId: uuidv7(), text } }) ?? Promise.resolve()
  const [raw, socketIo, stock, mercurius] = await Promise.all([
    startChild<RawServer>('servers/raw'),
    startChild<SocketIoServer>('servers/socket-io', { redisUrl: backends.redisUrl }),
    startChild<StockServer>('servers/stock'),
    startChild<MercuriusServer>('servers/mercurius'),
  ])
  const peer = async (server: Child<RawServer>, kind: Kind, path: string): Promise<Peer> => ({
    server,
    kind,
    url: `ws://127.0.0.1:${await server.call('port')}${path}`,
    query: peerEvents,
    tokens: null,
    async areSubscribed(count) {
      while ((await server.call('subscribers')) < count) await delay(50)
    },
    publish: (text) => server.call('publish', text),
  })
  const parley: Peer = {
    server: node,
    kind: 'parley',
    url: node.socketUrl,
    query: events,
    tokens: people.flatMap(({ tokens }) => tokens).slice(0, devices),
    publish: send(sender, conversation.id),
  }
  const ejabberd = await openXmppPeer(backends, devices)
  return {
    node,
    sendCost: { publish: send(alone, lonely.id) },
    peers: new Map<Name, Peer>([
      ['parley', parley],
      ['raw', await peer(raw, 'raw', '/')],
      ['socketIo', await peer(socketIo, 'socket.io', '/socket.io/?EIO=4&transport=websocket')],
      ...(ejabberd ? ([['ejabberd', ejabberd]] as const) : []),
      ['stock', await peer(stock, 'graphql', '/graphql')],
      ['mercurius', await peer(mercurius, 'graphql', '/graphql')],
    ]),
  }
}

/** ejabberd with one room, and a session of its first member that sends; null if it is not installed. */
async function openXmppPeer(backends: Setting['backends'], devices: number): Promise<Peer | null> {
  const [users = []] = namesOf(1, members)
  const server = await openEjabberd(backends, `fan_out_ejabberd_${devices}`, [users])
  if (!server) return null
  const sender = await XmppSession.open(server.socketUrl, users[0] ?? '')
  return {
    server,
    kind: 'xmpp',
    url: server.socketUrl,
    tokens: Array.from({ length: devices }, (_, n) => users[n % members] ?? ''),
    publish: (text) => sender.send(server.rooms[0] ?? '', text),
  }
}
type SendCost = { publish(text: string): Promise<unknown> }

/** Opens the devices of every peer, spread over the processes. */
async function openDevices(peers: Peers, devices: number, setting: Setting): Promise<Child<Devices>[]> {
  const count = Math.max(setting.isSmall ? 1 : 2, Math.ceil((devices * peers.size) / socketsOfProcess))
  const processes = await Promise.all(Array.from({ length: count }, () => startChild<Devices>('clients/devices')))
  for (const [name, { kind, url, query, tokens, areSubscribed }] of peers) {
    const begun = performance.now()
    await Promise.all(
      processes.map((process, index) => {
        const [from, to] = [index, index + 1].map((n) => Math.floor((n * devices) / count))
        return process.call('open', name, {
          kind,
          url,
          devices: tokens ? tokens.slice(from, to) : (to ?? 0) - (from ?? 0),
          localAddress: `127.0.0.${index + 1}`,
          atOnce: 50,
          ...(query ? { query } : {}),
        })
      }),
    )
    await areSubscribed?.(devices)
    setting.say(`  ${number(devices)} devices of ${titles[name]} in ${number((performance.now() - begun) / 1_000, 1)} s`)
  }
  return processes
}

/** Publishes at an even pace, waits until everything has arrived, and returns the cost of the server. */
async function measure(name: Name, peer: Peer, processes: readonly Child<Devices>[], scale: Scale): Promise<Measured> {
  const counts = async () => {
    const all = await Promise.all(processes.map((process) => process.call('counts', name)))
    return { facts: all.reduce((sum, { facts }) => sum + facts, 0), bytes: all.reduce((sum, { bytes }) => sum + bytes, 0) }
  }
  const [before, cpuBefore] = [await counts(), await peer.server.call('cpu')]
  const begun = performance.now()
  for (let index = 0; index < scale.facts; index += 1) {
    await delay(Math.max(0, begun + (index * 1_000) / scale.perSecond - performance.now()))
    await peer.publish(textOf(`${index}`))
  }
  const expected = before.facts + scale.facts * scale.devices
  await allCame(async () => (await counts()).facts, expected, name)
  const cpu = (await peer.server.call('cpu')) - cpuBefore
  const after = await counts()
  if (after.facts !== expected) throw new Error(`${name}: ${after.facts - expected} deliveries too many`)
  return { micros: cpu / (scale.facts * scale.devices), bytes: (after.bytes - before.bytes) / (scale.facts * scale.devices) }
}

/** Waits for this number of deliveries; fails if no more arrive. */
async function allCame(count: () => Promise<number>, expected: number, name: Name): Promise<void> {
  let [seen, seenAt] = [await count(), performance.now()]
  while (seen < expected) {
    await delay(20)
    const now = await count()
    if (now > seen) [seen, seenAt] = [now, performance.now()]
    if (performance.now() - seenAt > patienceMs) throw new Error(`${name}: ${expected - now} deliveries did not come`)
  }
}

/** The cost of a send without listeners, in microseconds. */
async function measureSends(node: Node, { publish }: SendCost, scale: Scale): Promise<number> {
  const before = await node.call('cpu')
  const begun = performance.now()
  for (let index = 0; index < scale.facts; index += 1) {
    await delay(Math.max(0, begun + (index * 1_000) / scale.perSecond - performance.now()))
    await publish(textOf(`${index}`))
  }
  return ((await node.call('cpu')) - before) / scale.facts
}

/** The results with one number of devices. */
type AtScale = Pick<Result, 'rows' | 'goals' | 'figures'> & { readonly names: readonly Name[] }

async function runScale(setting: Setting, scale: Scale): Promise<AtScale> {
  const { peers, node, sendCost } = await openPeers(setting, scale.devices)
  const processes = await openDevices(peers, scale.devices, setting)
  for (const [name, peer] of peers) await measure(name, peer, processes, { ...scale, facts: Math.min(scale.facts, 50) })
  const names = [...peers.keys()]
  const measured = await inRounds(scale.rounds, names, async (name) => {
    const one = await measure(name, peers.get(name) as Peer, processes, scale)
    setting.say(`  ${titles[name]}: ${number(one.micros, 2)} µs`)
    return one
  })
  const micros = Object.fromEntries(names.map((name) => [name, median(measured[name].map((m) => m.micros))])) as Record<
    Name,
    number
  >
  const ratios = (name: Name, of: Name) =>
    measured[name].map((m, round) => m.micros / (measured[of][round]?.micros ?? Number.NaN))
  const ofRaw = (name: Name) => median(ratios(name, 'raw'))
  for (const process of processes) await process.stop()
  const sendMicros = await measureSends(node, sendCost, scale)
  for (const { server } of peers.values()) await server.stop()
  const row = (title: string, each: number, ratio: number, bytes: string) => [
    number(scale.devices),
    title,
    number(each, 2),
    times(ratio),
    bytes,
  ]
  const rows = names.map((name) => row(titles[name], micros[name], ofRaw(name), number(measured[name][0]?.bytes ?? 0)))
  const without = micros.parley - sendMicros / scale.devices
  rows.splice(1, 0, row('Parley, without the sends', without, without / micros.raw, ''))
  const at = `${number(scale.devices)} devices: Parley`
  const ofStock = median(ratios('stock', 'parley'))
  return {
    rows,
    names,
    figures: {
      [`${at} against raw ws`]: { better: 'lower', rounds: ratios('parley', 'raw') },
      [`${at} against Socket.IO with Redis`]: { better: 'lower', rounds: ratios('parley', 'socketIo') },
    },
    goals: [
      { goal: `${at} at most 1.3x raw \`ws\``, measured: times(ofRaw('parley')), isMet: ofRaw('parley') <= 1.3 },
      {
        goal: `${at} less than Socket.IO with Redis`,
        measured: `${number(micros.parley, 2)} µs against ${number(micros.socketIo, 2)} µs`,
        isMet: micros.parley < micros.socketIo,
      },
      {
        goal: `${at} at most a fifth of the recipe`,
        measured: `the recipe costs ${times(ofStock)} as much`,
        isMet: ofStock >= 5,
      },
    ],
  }
}

function failed({ devices }: Scale, error: Error): AtScale {
  const [measured = ''] = error.message.split('\n')
  return {
    rows: [],
    names: [],
    figures: {},
    goals: [{ goal: `${number(devices)} devices`, measured: `failed: ${measured.slice(0, 300)}`, isMet: false }],
  }
}

export const fanOut: Line = {
  name: 'fan-out',
  title: 'Fan-out: one message to many devices',
  async run(setting): Promise<Result> {
    const results = []
    for (const scale of setting.isSmall ? smallScales : scales) {
      // If a server breaks down under many devices, its figures with fewer still count.
      results.push(await runScale(setting, scale).catch((error: Error) => failed(scale, error)))
      await stopChildren()
    }
    return {
      columns: ['Devices', 'Server', 'CPU for each delivery, µs', 'of raw', 'bytes'],
      rows: results.flatMap(({ rows }) => rows),
      goals: results.flatMap(({ goals }) => goals),
      figures: Object.assign({}, ...results.map(({ figures }) => figures)) as AtScale['figures'],
      notes: [
        `One group of ${members} members, with equally many devices each, all subscribed to \`events\` with the same document, over the network of one machine.`,
        'CPU is that of the server process, user and system, over everything that it did meanwhile: for Parley also receiving, storing and answering the sends, the search index, and following the journal, with Redis connected. The peers publish on command over IPC and store nothing.',
        `Paced, so that nothing saturates: ${(setting.isSmall ? smallScales : scales).map((s) => `${s.perSecond} messages a second to ${number(s.devices)} devices, ${s.facts} messages a round, ${s.rounds} rounds`).join('; ')}. Ratios are medians of the rounds' own ratios.`,
        noteOf(
          results.some(({ names }) => names.includes('ejabberd')),
          "Its figure includes receiving and storing the sends, like Parley's, and the message back to the sender, which is one delivery more. It is one node without Redis.",
        ),
      ],
    }
  },
}
