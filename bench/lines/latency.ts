// Latency: from a send to its receipt by another member, while messages arrive at a fixed rate, whatever the answers do.

import type { ChattersApi, Paced } from '../clients/chatters.ts'
import { type Child, startChild } from '../kit/child.ts'
import { at, plot, plotted } from '../kit/distribution.ts'
import type { Line, Result, Setting } from '../kit/line.ts'
import { type Node, settle, startNode } from '../kit/node.ts'
import { inRounds, median, number, times } from '../kit/stats.ts'
import { chatRooms, createRooms } from './ingest.ts'

const full = { rooms: 100, underWay: 64, limitMs: 8_000, ms: 60_000, idlePerSecond: 40, rounds: 3 }
const small = { rooms: 10, underWay: 16, limitMs: 1_000, ms: 700, idlePerSecond: 40, rounds: 1 }
const shares = [0, 0.1, 0.5, 0.8] as const
type Share = (typeof shares)[number]
type Arrangement = 'one' | 'two'
const titles: Record<Arrangement, string> = { one: 'one node', two: 'two nodes, through Redis' }

/** The senders' and the listeners' node: the same one, or two. */
type Stage = { readonly chatters: Child<ChattersApi>; readonly sender: Node; readonly limit: number }

async function open(arrangement: Arrangement, setting: Setting): Promise<Stage> {
  const { rooms, underWay, limitMs } = setting.isSmall ? small : full
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
  await chatters.call('closed', 'chat', underWay, limitMs / 2)
  await settle(databaseUrl)
  const { sent, ms } = await chatters.call('closed', 'chat', underWay, limitMs)
  const limit = (sent / ms) * 1_000
  setting.say(`  ${titles[arrangement]}: at most ${number(limit)} messages a second`)
  return { chatters, sender, limit }
}

export const latency: Line = {
  name: 'latency',
  title: 'Latency: from a send to its receipt',
  async run(setting): Promise<Result> {
    const { ms, idlePerSecond, rounds, rooms, underWay } = setting.isSmall ? small : full
    const stages: Record<Arrangement, Stage> = { one: await open('one', setting), two: await open('two', setting) }
    const arrangements: readonly Arrangement[] = ['one', 'two']
    const names = arrangements.flatMap((arrangement) => shares.map((share) => `${arrangement} ${share}` as const))
    const rateOf = (arrangement: Arrangement, share: Share) => (share === 0 ? idlePerSecond : stages[arrangement].limit * share)
    const measured = await inRounds<`${Arrangement} ${Share}`, Paced>(rounds, names, async (name) => {
      const [arrangement, share] = [name.split(' ')[0] as Arrangement, Number(name.split(' ')[1]) as Share]
      const { chatters, sender } = stages[arrangement]
      await settle(sender.databaseUrl)
      const paced = await chatters.call('paced', 'chat', rateOf(arrangement, share), ms)
      if (paced.missing !== 0) throw new Error(`${name}: ${paced.missing} receipts did not come`)
      setting.say(`  ${name}: p99 ${number(at(paced.latencies, 99), 1)} ms, sent late by ${number(paced.lateP99, 1)} ms`)
      return paced
    })
    const of = (arrangement: Arrangement, share: Share) => measured[`${arrangement} ${share}`]
    const middle = (arrangement: Arrangement, share: Share, value: (paced: Paced) => number) =>
      median(of(arrangement, share).map(value))
    const p99 = ({ latencies }: Paced) => at(latencies, 99)
    const ratios = (arrangement: Arrangement) =>
      of(arrangement, 0.5).map((paced, round) => p99(paced) / p99(of(arrangement, 0)[round] as Paced))
    const shown = (share: Share) => (share === 0 ? 'next to none' : `${share * 100} %`)
    return {
      columns: ['Nodes', 'load', 'messages a second', 'p50, ms', 'p99, ms', 'p99.9, ms', 'sent late, p99, ms'],
      rows: arrangements.flatMap((arrangement) =>
        shares.map((share) => [
          titles[arrangement],
          shown(share),
          number(rateOf(arrangement, share)),
          ...[50, 99, 99.9].map((percentile) =>
            number(
              middle(arrangement, share, (one) => at(one.latencies, percentile)),
              1,
            ),
          ),
          number(
            middle(arrangement, share, ({ lateP99 }) => lateP99),
            1,
          ),
        ]),
      ),
      goals: arrangements.map((arrangement) => {
        const ratio = median(ratios(arrangement))
        return { goal: `${titles[arrangement]}: p99 at 50 % at most 3x that at rest`, measured: times(ratio), isMet: ratio <= 3 }
      }),
      figures: Object.fromEntries(
        arrangements.map((arrangement) => [
          `${titles[arrangement]}: p99 at 50 % against that at rest`,
          { better: 'lower', rounds: ratios(arrangement) },
        ]),
      ),
      plots: {
        'latency.svg': plot(
          this.title,
          arrangements.flatMap((arrangement) =>
            shares.map((share) => ({
              title: `${titles[arrangement]}, ${shown(share)}`,
              distribution: plotted.map((_, n) => middle(arrangement, share, ({ latencies }) => latencies[n] ?? Number.NaN)),
            })),
          ),
        ),
      },
      notes: [
        `${rooms} groups of 5 with one member listening in each; messages are due at random (Poisson), and count from when they were due, also if the sender is late; ${rounds} rounds of ${ms / 1_000} s for each load, medians of the rounds. Load is a share of the rate of ${underWay} sends under way, measured just before on the same nodes.`,
        'With two nodes, one takes the sends and the listeners are on the other. Clients, nodes, Postgres and Redis share the cores.',
      ],
    }
  },
}
