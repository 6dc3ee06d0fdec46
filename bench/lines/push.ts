// Notifications: what one costs, how soon it is on its way, and that a send does not pay for it.

import { createECDH, randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { PushSinkApi } from '../clients/push-sink.ts'
import { query } from '../kit/backends.ts'
import { type Child, startChild } from '../kit/child.ts'
import type { Line, Result, Setting } from '../kit/line.ts'
import { type Conversation, createGroup, createPeople, type Node, type Person, settle, startNode } from '../kit/node.ts'
import { Operations } from '../kit/operations.ts'
import { inRounds, median, number, quantile, times } from '../kit/stats.ts'
import { uuidv7 } from '../kit/uuid.ts'

const full = { groups: 100, recipientsEach: 100, single: 1_000, singlePerSecond: 50, sends: 500, rounds: 3 }
const small = { groups: 3, recipientsEach: 10, single: 20, singlePerSecond: 50, sends: 20, rounds: 1 }
const drainMs = 300_000
const sendGapMs = 20

const document = `mutation Send($input: SendMessageInput!) { sendMessage(input: $input) { message { createdAt } } }`

/** The keys of a server, and of a device: all devices of the bench share one pair. */
function newKeys() {
  const [server, device] = [createECDH('prime256v1'), createECDH('prime256v1')]
  server.generateKeys()
  device.generateKeys()
  return {
    vapid: {
      PARLEY_VAPID_PUBLIC_KEY: server.getPublicKey().toString('base64url'),
      PARLEY_VAPID_PRIVATE_KEY: Buffer.concat([Buffer.alloc(32), server.getPrivateKey()])
        .subarray(-32)
        .toString('base64url'),
      PARLEY_VAPID_SUBJECT: 'mailto:bench@parley.example',
    },
    device: { p256dh: device.getPublicKey().toString('base64url'), auth: randomBytes(16).toString('base64url') },
  }
}

/** A node with groups in which the first member sends; with a registered device of each other member, if there is a sink. */
type Stage = { readonly node: Node; readonly groups: readonly Conversation[] }

async function openStage(
  name: string,
  shape: { groups: number; each: number; delayMs: number },
  sink: Child<PushSinkApi> | null,
  setting: Setting,
): Promise<Stage> {
  const databaseUrl = await setting.backends.createDatabase(`push_${name}`)
  const { vapid, device } = newKeys()
  const push = { ...vapid, PARLEY_PUSH_ALLOW_PRIVATE: 'true', PARLEY_PUSH_DELAY_MS: String(shape.delayMs) }
  const environment = { PARLEY_GROUP_MEMBERS_MAX: '1000', ...(sink ? push : {}) }
  const node = await startNode(databaseUrl, environment)
  const people = await createPeople(databaseUrl, shape.groups * (shape.each + 1))
  const groups: Conversation[] = []
  for (let index = 0; index < shape.groups; index += 1) {
    const members = people.slice(index * (shape.each + 1), (index + 1) * (shape.each + 1))
    groups.push(await createGroup(node, `Group ${index}`, members))
  }
  if (sink) {
    const recipients = groups.flatMap(({ members }) => members.slice(1).map(({ number: id }) => id))
    const insert = `insert into push_registration(session_id, user_id, provider, endpoint, p256dh, auth)
      select id, user_id, 'WEB_PUSH', $2 || user_id, $3, $4 from session where user_id = any($1::bigint[])`
    const values = [recipients, `${await sink.call('origin')}/`, device.p256dh, device.auth]
    await query(databaseUrl, async (client) => {
      await client.query(insert, values)
      await client.query('analyze')
    })
  }
  await settle(databaseUrl)
  return { node, groups }
}

/** Sends to a conversation; returns when it was committed, in milliseconds since 1970. */
async function send(socket: Operations, { id }: Conversation): Promise<number> {
  const frame = await socket.ask(document, {
    input: { conversationId: id, clientMessageId: uuidv7(), text: 'a message of the bench' },
  })
  return Date.parse(/"createdAt":"([^"]+)"/.exec(frame)?.[1] ?? '')
}

const writer = ({ members: [first] }: Conversation) => (first as Person).tokens[0] ?? ''

async function drain(sink: Child<PushSinkApi>, until: number): Promise<void> {
  for (const deadline = Date.now() + drainMs; (await sink.call('taken')) < until; await delay(10)) {
    if (Date.now() > deadline) throw new Error(`${until - (await sink.call('taken'))} notifications did not come`)
  }
}

/** One message to each group at once: notifications a second, and the CPU of each, in microseconds. */
async function measureBurst({ node, groups }: Stage, sink: Child<PushSinkApi>, each: number) {
  const sockets = await Promise.all(groups.map((group) => Operations.open(node.socketUrl, writer(group))))
  const [count, before, cpu] = [groups.length * each, await sink.call('taken'), await node.call('cpu')]
  const begun = performance.now()
  await Promise.all(groups.map((group, i) => send(sockets[i] as Operations, group)))
  await drain(sink, before + count)
  const ms = performance.now() - begun
  await delay(1_000) // the outcomes of the last ones are recorded
  const cost = ((await node.call('cpu')) - cpu) / count
  for (const socket of sockets) socket.cut()
  if ((await sink.call('taken')) !== before + count) throw new Error('notifications came twice')
  return { rate: (count / ms) * 1_000, cost }
}

/** Messages to one recipient each, at a rate: milliseconds from the commit to the push request. */
async function measureDelay({ node, groups }: Stage, sink: Child<PushSinkApi>, perSecond: number): Promise<number[]> {
  await sink.call('arrivals')
  const before = await sink.call('taken')
  const committed = await Promise.all(
    groups.map(async (group, i) => {
      await delay((i * 1_000) / perSecond)
      const socket = await Operations.open(node.socketUrl, writer(group))
      const at = await send(socket, group)
      socket.cut()
      return [`/${group.members[1]?.number}`, at] as const
    }),
  )
  await drain(sink, before + groups.length)
  const arrived = new Map(await sink.call('arrivals'))
  return committed.map(([path, at]) => (arrived.get(path) ?? Number.NaN) - at)
}

/** Sends one after another, with pauses: milliseconds to each answer. */
async function measureSends({ node, groups }: Stage, count: number): Promise<number[]> {
  const socket = await Operations.open(node.socketUrl, writer(groups[0] as Conversation))
  const latencies: number[] = []
  for (let i = 0; i < count; i += 1) {
    const begun = performance.now()
    await send(socket, groups[0] as Conversation)
    latencies.push(performance.now() - begun)
    await delay(sendGapMs)
  }
  socket.cut()
  return latencies
}

export const push: Line = {
  name: 'push',
  title: 'Notifications: Web Push to devices that are away',
  async run(setting): Promise<Result> {
    const { groups, recipientsEach, single, singlePerSecond, sends, rounds } = setting.isSmall ? small : full
    const sink = await startChild<PushSinkApi>('clients/push-sink')
    const burst = await openStage('burst', { groups, each: recipientsEach, delayMs: 0 }, sink, setting)
    const bursts = await inRounds(rounds, ['burst'], async () => {
      const measured = await measureBurst(burst, sink, recipientsEach)
      setting.say(`  ${number(measured.rate)} notifications a second, ${number(measured.cost)} µs each`)
      return measured
    })
    await burst.node.stop()
    const lone = await openStage('single', { groups: single, each: 1, delayMs: 0 }, sink, setting)
    const delays = await measureDelay(lone, sink, singlePerSecond)
    setting.say(`  from commit to request: p99 ${number(quantile(delays, 0.99))} ms`)
    await lone.node.stop()
    const shape = { groups: 1, each: 4, delayMs: 0 }
    const stages = { on: await openStage('on', shape, sink, setting), off: await openStage('off', shape, null, setting) }
    const latencies = await inRounds<'on' | 'off', number[]>(rounds, ['on', 'off'], async (name) => {
      const measured = await measureSends(stages[name], sends)
      setting.say(`  sends with notifications ${name}: p50 ${number(median(measured), 2)} ms`)
      return measured
    })
    const middle = (name: 'on' | 'off', share: number) => median(latencies[name].map((one) => quantile(one, share)))
    const spread = Math.max(...latencies.off.map((one) => median(one))) / Math.min(...latencies.off.map((one) => median(one)))
    const ratios = latencies.on.map((one, round) => median(one) / median(latencies.off[round] ?? []))
    const ratio = median(ratios)
    const rates = bursts.burst.map(({ rate }) => rate)
    return {
      columns: ['What', 'p50', 'p99'],
      rows: [
        ['from the commit to the push request, ms', number(median(delays)), number(quantile(delays, 0.99))],
        ['a send, notifications off, ms', number(middle('off', 0.5), 2), number(middle('off', 0.99), 2)],
        ['a send, notifications on, ms', number(middle('on', 0.5), 2), number(middle('on', 0.99), 2)],
        ['notifications a second', number(median(rates)), ''],
        ['CPU of the node for each, µs', number(median(bursts.burst.map(({ cost }) => cost))), ''],
      ],
      goals: [
        {
          goal: 'a send takes no longer with notifications than without, beyond the difference between rounds without',
          measured: `${times(ratio)}; rounds without: ${times(spread)}`,
          isMet: ratio <= Math.max(1.1, spread),
        },
      ],
      figures: { 'a send with notifications against one without': { better: 'lower', rounds: ratios } },
      notes: [
        `${number(groups * recipientsEach)} recipients: ${groups} groups of ${recipientsEach + 1}, one message to each at the same moment, ${rounds} rounds. Each notification is decided, encrypted, sent to a service that accepts it at once, and recorded.`,
        `The delay is that of ${number(single)} messages to one recipient each, ${singlePerSecond} a second, with PARLEY_PUSH_DELAY_MS = 0.`,
        `Sends come one after another with ${sendGapMs} ms between, in a group of five with all the others registered; on two nodes with separate databases, in turns. Node, Postgres and the push service share the cores.`,
      ],
    }
  },
}
