// Chatters: users who send to each other over graphql-transport-ws or XMPP, and listeners. Either a fixed number of sends is
// under way at all times, or sends come at a rate, whatever the answers do.

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { distributionOf, record } from '../kit/distribution.ts'
import { events, peerConversation, sendMessage } from '../kit/documents.ts'
import { textOf } from '../kit/fact.ts'
import { Operations } from '../kit/operations.ts'
import { expose } from '../kit/parent.ts'
import { quantile } from '../kit/stats.ts'
import { uuidv7 } from '../kit/uuid.ts'
import { XmppSession } from '../kit/xmpp.ts'

/** A conversation, with its senders and its listeners. */
export type Room = {
  /** The id by which the server knows it: a global id for Parley, a number for the stock recipe, an address for ejabberd. */
  readonly id: string | number
  readonly senderId: number
  /** An access token; for ejabberd the name of a user. */
  readonly senderToken?: string
  /** The same for each listener; empty if the server needs none. */
  readonly listenerTokens: readonly string[]
}
/** What to open. The senders may use another node than the listeners. */
export type Chat = {
  readonly kind: 'parley' | 'stock' | 'ejabberd'
  readonly sendUrl: string
  readonly listenUrl: string
  readonly rooms: readonly Room[]
}
/** The result of a fixed number of sends under way: the number of answers, the duration, and the times of the answers in ms. */
export type Closed = { readonly sent: number; readonly ms: number; readonly p50: number; readonly p99: number }
/** The result of sends at a rate. */
export type Paced = {
  readonly sent: number
  /** How many receipts are missing. */
  readonly missing: number
  /** Milliseconds from the moment at which a message was due to its receipt, at each of `plotted` of kit/distribution.ts. */
  readonly latencies: readonly number[]
  /** Milliseconds by which this process itself sent late, at the 99th percentile. It is part of the latencies. */
  readonly lateP99: number
}

/** Sends a text to a room; resolves with the answer. */
type Send = (text: string) => Promise<unknown>

/** How long to wait for receipts after the last send: an overloaded server has a queue to work off. */
const drainMs = 60_000
const now = () => Number(process.hrtime.bigint()) / 1e6

class Chatters {
  readonly #chat: Chat
  /** What precedes the time at which a message was due, in the frame of a listener. */
  readonly #dueMark: string
  #senders: Send[] = []
  heard = 0
  latencies: RecordableHistogram | null = null

  constructor(chat: Chat) {
    this.#chat = chat
    this.#dueMark = chat.kind === 'ejabberd' ? '<body>@' : '"text":"@'
  }

  async open(): Promise<void> {
    for (const room of this.#chat.rooms) {
      for (const token of room.listenerTokens) await this.#listen(room, token)
      this.#senders.push(await this.#openSender(room))
    }
    await delay(200)
  }

  async #listen({ id: conversationId }: Room, token: string): Promise<void> {
    const { kind, listenUrl } = this.#chat
    if (kind === 'ejabberd') {
      await XmppSession.open(listenUrl, token, (frame) => this.#hear(frame))
      return
    }
    const isParley = kind === 'parley'
    const listener = await Operations.open(listenUrl, token)
    const [query, variables] = isParley ? [events, { after: null }] : [peerConversation, { conversationId }]
    await listener.listen(query, variables, isParley, (frame) => this.#hear(frame))
  }

  async #openSender({ id: conversationId, senderId, senderToken }: Room): Promise<Send> {
    const { kind, sendUrl } = this.#chat
    if (kind === 'ejabberd') {
      const session = await XmppSession.open(sendUrl, senderToken ?? '')
      return (text) => session.send(String(conversationId), text)
    }
    const sender = await Operations.open(sendUrl, senderToken)
    return kind === 'parley'
      ? (text) => sender.ask(sendMessage, { input: { conversationId, clientMessageId: uuidv7(), text } })
      : (text) => sender.ask(sendMessage, { input: { conversationId, senderId, text } })
  }

  #hear(frame: Buffer): void {
    if (this.#chat.kind !== 'ejabberd' && frame.length < 250) return
    this.heard += 1
    if (!this.latencies) return
    const at = frame.indexOf(this.#dueMark)
    const from = at + this.#dueMark.length
    if (at >= 0) record(this.latencies, now() - Number(frame.toString('latin1', from, frame.indexOf('@', from))))
  }

  /** The rooms in turn: with fewer sends under way than rooms, no room has two. */
  #send(index: number, text: string): Promise<unknown> {
    return (this.#senders[index % this.#senders.length] as Send)(text)
  }

  /** Waits until every listener has received everything; returns how many receipts are missing. */
  async #drain(from: number, sent: number): Promise<number> {
    const expected = from + sent * (this.#chat.rooms[0]?.listenerTokens.length ?? 0)
    for (const deadline = now() + drainMs; this.heard < expected && now() < deadline; ) await delay(10)
    return expected - this.heard
  }

  async closed(underWay: number, ms: number): Promise<Closed> {
    const [begun, from] = [now(), this.heard]
    const times: number[] = []
    let next = 0
    const one = async () => {
      while (now() - begun < ms) {
        const at = now()
        next += 1
        await this.#send(next, textOf(`${next}`))
        times.push(now() - at)
      }
    }
    await Promise.all(Array.from({ length: underWay }, one))
    const took = now() - begun
    const missing = await this.#drain(from, times.length)
    if (missing !== 0) throw new Error(`${missing} receipts did not come`)
    return { sent: times.length, ms: took, p50: quantile(times, 0.5), p99: quantile(times, 0.99) }
  }

  /**
   * Sends at random times (Poisson), whatever the answers do. A message counts from the moment at which it was due, so a late
   * sender hides nothing (coordinated omission).
   */
  async paced(perSecond: number, ms: number): Promise<Paced> {
    const [begun, from] = [now(), this.heard]
    const [latencies, late] = [createHistogram(), createHistogram()]
    this.latencies = latencies
    let [sent, dueAt, failure] = [0, begun, null as Error | null]
    const gap = () => (-Math.log(1 - Math.random()) * 1_000) / perSecond
    while (dueAt < begun + ms && !failure) {
      for (; dueAt <= now(); dueAt += gap()) {
        sent += 1
        record(late, now() - dueAt)
        const index = Math.floor(Math.random() * this.#senders.length)
        this.#send(index, textOf(`@${dueAt.toFixed(3)}@`)).catch((error: Error) => {
          failure = error
        })
      }
      await delay(Math.max(0, dueAt - now()))
    }
    if (failure) throw failure
    const missing = await this.#drain(from, sent)
    this.latencies = null
    return { sent, missing, latencies: distributionOf(latencies), lateP99: late.percentile(99) / 1_000 }
  }
}

const chats = new Map<string, Chatters>()
const chatOf = (name: string) => {
  const chat = chats.get(name)
  if (!chat) throw new Error(`there are no chatters ${name}`)
  return chat
}

const api = {
  async open(name: string, chat: Chat) {
    const chatters = new Chatters(chat)
    chats.set(name, chatters)
    await chatters.open()
  },
  closed: (name: string, underWay: number, ms: number) => chatOf(name).closed(underWay, ms),
  paced: (name: string, perSecond: number, ms: number) => chatOf(name).paced(perSecond, ms),
}
export type ChattersApi = typeof api

expose(api)
