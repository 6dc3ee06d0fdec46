// Latency: from a send to its receipt by another member, while messages arrive at a fixed rate, whatever the answers do.

import type { ChattersApi, Paced } from '../clients/chatters.ts'
import { type Child, startChild } from '../kit/child.ts'
import { at, plot, plotted } from '../kit/distribution.ts'
import { noteOf } from '../kit/ejabberd.ts'
import type { Goal, Line, Result, Setting } from '../kit/line.ts'
import { settle, startNode } from '../kit/node.ts'
import { inRounds, median, number, times } from '../kit/stats.ts'
import { chatRooms, createRooms, openEjabberdChat } from './ingest.ts'

const full = { rooms: 100, underWay: 64, limitMs: 8_000, ms: 60_000, idlePerSecond: 40, rounds: 3 }
const small = { rooms: 10, underWay: 16, limitMs: 1_000, ms: 700, idlePerSecond: 40, rounds: 1 }
const shares = [0, 0.1, 0.5, 0.8] as const
const titles = { one: 'one node', two: 'two nodes, through Redis', ejabberd: 'ejabberd' } as const
type Arrangement = keyof typeof titles

/** Chatters, and the rate of sends that their server can take. `settle` waits for its work after the sends. */
type Stage = {
  readonly arrangement: Arrangement
  readonly chatters: Child<ChattersApi>
  readonly chat: string
  readonly limit: number
  settle(): Promise<void>
}
/** Messages at a rate; its name is unique. */
type Load = { readonly name: string; readonly stage: Stage; readonly title: string; readonly rate: number }

/** Measures the limit of the rate. */
async function limitOf(unlimited: Omit<Stage, 'limit'>, setting: Setting): Promise<Stage> {
  const { underWay, limitMs } = setting.isSmall ? small : full
  const { arrangement, chatters, chat } = unlimited
  await chatters.call('closed', chat, underWay, limitMs / 2)
  await unlimited.settle()
  const { sent, ms } = await chatters.call('closed', chat, underWay, limitMs)
  const limit = (sent / ms) * 1_000
  setting.say(`  ${titles[arrangement]}: at most ${number(limit)} messages a second`)
  return { ...unlimited, limit }
}

async function openParley(arrangement: 'one' | 'two', setting: Setting): Promise<Stage> {
  const { rooms } = setting.isSmall ? small : full
  const databaseUrl = await setting.backends.createDatabase(`latency_${arrangement}`)
  const environment: Record<string, string> = arrangement === 'two' ? { REDIS_URL: setting.backends.redisUrl } : {}
  const sender = await startNode(databaseUrl, environment)
  const listener = arrangement === 'two' ? await startNode(databaseUrl, environment) : sender
  const chatters = await startChild<ChattersApi>('clients/chatters')
  await chatters.call('open', 'chat', {
    kind: 'parley',
    sendUrl: sender.socketUrl,
    listenUrl: listener.socketUrl,
    rooms: chatRooms(await createRooms(sender, rooms), 1),
  })
  return limitOf({ arrangement, chatters, chat: 'chat', settle: () => settle(databaseUrl) }, setting)
}

async function openPeer(setting: Setting): Promise<Stage | null> {
  const chatters = await startChild<ChattersApi>('clients/chatters')
  const { rooms } = setting.isSmall ? small : full
  const ejabberd = await openEjabberdChat(setting, 'latency_ejabberd', chatters, rooms)
  if (!ejabberd) return null
  return limitOf({ arrangement: 'ejabberd', chatters, chat: 'ejabberd', settle: async () => undefined }, setting)
}

const shown = (share: number) => (share === 0 ? 'next to none' : `${share * 100} %`)

/** The loads of Parley, and those of ejabberd: the same rates as one node's, as far as it can, and half of its own limit. */
function loadsOf(one: Stage, two: Stage, peer: Stage | null, idlePerSecond: number): Load[] {
  const rateOf = ({ limit }: Stage, share: number) => (share === 0 ? idlePerSecond : limit * share)
  const loads: Load[] = [one, two].flatMap((stage) =>
    shares.map((share) => ({
      name: `${stage.arrangement} ${share}`,
      stage,
      title: shown(share),
      rate: rateOf(stage, share),
    })),
  )
  if (!peer) return loads
  const same = [0, 0.5].map((share) => ({
    name: `ejabberd ${share}`,
    stage: peer,
    title: share === 0 ? shown(share) : `${shown(share)} of one node`,
    rate: rateOf(one, share),
  }))
  const own = { name: 'ejabberd own 0.5', stage: peer, title: `${shown(0.5)} of its own`, rate: rateOf(peer, 0.5) }
  return [...loads, ...same.filter(({ rate }) => rate < peer.limit), own]
}

const p50 = ({ latencies }: Paced) => at(latencies, 50)
const p99 = ({ latencies }: Paced) => at(latencies, 99)

/** Parley against ejabberd at the same rate. Rates that ejabberd cannot take count as met. */
function goalAgainst(peer: Stage, share: number, measured: Readonly<Record<string, Paced[]>>): Goal {
  const goal = `one node, ${shown(share)}: p50 and p99 below ejabberd's at the same rate`
  const [ours, theirs] = [measured[`one ${share}`] ?? [], measured[`ejabberd ${share}`]]
  if (!theirs) return { goal, measured: `ejabberd takes at most ${number(peer.limit)} messages a second`, isMet: true }
  const pairs = [p50, p99].map((value) => [median(ours.map(value)), median(theirs.map(value))] as const)
  const [middle, late] = pairs.map(([own, other]) => `${number(own, 1)} ms against ${number(other, 1)} ms`)
  return { goal, measured: `p50 ${middle}, p99 ${late}`, isMet: pairs.every(([own, other]) => own < other) }
}

export const latency: Line = {
  name: 'latency',
  title: 'Latency: from a send to its receipt',
  async run(setting): Promise<Result> {
    const { ms, idlePerSecond, rounds, rooms, underWay } = setting.isSmall ? small : full
    const [one, two, peer] = [await openParley('one', setting), await openParley('two', setting), await openPeer(setting)]
    const loads = loadsOf(one, two, peer, idlePerSecond)
    const byName = new Map(loads.map((load) => [load.name, load]))
    const measured = await inRounds<string, Paced>(rounds, [...byName.keys()], async (name) => {
      const { stage, rate } = byName.get(name) as Load
      await stage.settle()
      const paced = await stage.chatters.call('paced', stage.chat, rate, ms)
      if (paced.missing !== 0) throw new Error(`${name}: ${paced.missing} receipts did not come`)
      setting.say(`  ${name}: p99 ${number(p99(paced), 1)} ms, sent late by ${number(paced.lateP99, 1)} ms`)
      return paced
    })
    const of = (name: string) => measured[name] ?? []
    const middle = (name: string, value: (paced: Paced) => number) => median(of(name).map(value))
    const ratios = ({ arrangement }: Stage) =>
      of(`${arrangement} 0.5`).map((paced, round) => p99(paced) / p99(of(`${arrangement} 0`)[round] as Paced))
    const nodes = [one, two]
    return {
      columns: ['Nodes', 'load', 'messages a second', 'p50, ms', 'p99, ms', 'p99.9, ms', 'sent late, p99, ms'],
      rows: loads.map(({ name, stage, title, rate }) => [
        titles[stage.arrangement],
        title,
        number(rate),
        ...[50, 99, 99.9].map((percentile) =>
          number(
            middle(name, ({ latencies }) => at(latencies, percentile)),
            1,
          ),
        ),
        number(
          middle(name, ({ lateP99 }) => lateP99),
          1,
        ),
      ]),
      goals: [
        ...nodes.map((stage) => {
          const ratio = median(ratios(stage))
          const goal = `${titles[stage.arrangement]}: p99 at 50 % at most 3x that at rest`
          return { goal, measured: times(ratio), isMet: ratio <= 3 }
        }),
        ...(peer ? [0, 0.5].map((share) => goalAgainst(peer, share, measured)) : []),
      ],
      figures: Object.fromEntries(
        nodes.map((stage) => [
          `${titles[stage.arrangement]}: p99 at 50 % against that at rest`,
          { better: 'lower', rounds: ratios(stage) },
        ]),
      ),
      plots: {
        'latency.svg': plot(
          this.title,
          loads.map(({ name, stage, title }) => ({
            title: `${titles[stage.arrangement]}, ${title}`,
            distribution: plotted.map((_, n) => middle(name, ({ latencies }) => latencies[n] ?? Number.NaN)),
          })),
        ),
      },
      notes: [
        `${rooms} groups of 5 with one member listening in each; messages are due at random (Poisson), and count from when they were due, also if the sender is late; ${rounds} rounds of ${ms / 1_000} s for each load, medians of the rounds. Load is a share of the rate of ${underWay} sends under way, measured just before on the same nodes.`,
        'With two nodes, one takes the sends and the listeners are on the other. Clients, nodes, Postgres and Redis share the cores.',
        noteOf(peer !== null, `It takes at most ${number(peer?.limit ?? 0)} messages a second, measured in the same way.`),
      ],
    }
  },
}
