// Sends the events of one webhook, while this node holds it: in order for each conversation, several conversations at once, and each
// again until the receiver has taken it. The place that is stored moves only over what was taken, so a node that dies repeats a few
// events, with the same ids.

import { setTimeout as delay } from 'node:timers/promises'
import pLimit from 'p-limit'
import { type EventSource, eventNameOf } from '../graphql/event.ts'
import type { ReadEvent } from '../graphql/event-data.ts'
import { parseCursor } from '../journal/cursor.ts'
import type { Place } from '../journal/fact.ts'
import type { Start } from '../journal/item.ts'
import type { App } from '../parts.ts'
import type { Poster } from '../push/providers/post.ts'
import { attempt } from '../push/providers/provider.ts'
import { reportFailure } from '../store/postgres.ts'
import { signWebhook } from '../webhook-signature.ts'
import type { ChangeStream } from './change-stream.ts'
import { cursorOf } from './stored-cursor.ts'
import { type HeldWebhook, letGoOf, moveTo, noteFailure, renewHold } from './webhooks.ts'

/** How many events are under way at most, and how many requests. */
const [windowMax, requestsMax] = [64, 8]
const renewMs = 5_000
/** How often the place is stored while there is more to send. */
const storeMs = 1_000
const backOff = { firstMs: 1_000, mostMs: 3_600_000 } as const

/** What a sender needs of its node. */
export type SenderNode = {
  readonly app: App
  readonly poster: Poster
  readonly read: ReadEvent
}

/** An event on its way. */
type Sending = { readonly place: Place; readonly taken: Promise<Failure | null>; isTaken: boolean }
/** Why an event was not taken. `isOurs`: this node stopped, or could not read the event, which is no fault of the receiver. */
type Failure = { readonly error: string; readonly afterMs: number | null; readonly isOurs: boolean }

const stopped: Failure = { error: 'this node stopped sending', afterMs: null, isOurs: true }

/** Sends until `closing`, a failure, or until this node no longer holds the webhook. */
export async function sendEvents(node: SenderNode, webhook: HeldWebhook, closing: AbortSignal): Promise<void> {
  const { app } = node
  const { reader } = app.store.jobs
  const stream = app.changes.open(app, await startOf(webhook, app), webhook.tenant)
  const ended = new AbortController()
  const end = () => {
    ended.abort()
    void stream.return()
  }
  closing.addEventListener('abort', end, { once: true })
  if (closing.aborted) end()
  const renewing = renew()
  async function renew(): Promise<void> {
    while (!ended.signal.aborted) {
      await delay(renewMs, undefined, { signal: ended.signal }).catch(() => undefined)
      if (!ended.signal.aborted && !(await renewHold(webhook, reader).catch(() => false))) end()
    }
  }
  try {
    const failure = await new Sender(node, webhook, stream, ended.signal).run()
    if (failure && !failure.isOurs) await noteFailure(webhook, failure.error, retryAt(webhook, failure, app), reader)
    else await letGoOf(webhook, reader)
  } finally {
    closing.removeEventListener('abort', end)
    end()
    await renewing
  }
}

class Sender {
  readonly #node: SenderNode
  readonly #webhook: HeldWebhook
  readonly #stream: ChangeStream
  readonly #ended: AbortSignal
  readonly #limit = pLimit(requestsMax)
  /** In the order of the journal. */
  readonly #window: Sending[] = []
  /** The stream is here. */
  #at: Place | null = null
  /** Everything up to here was taken, or is not wanted; and what of that is stored. */
  #done: Place | null = null
  #stored: Place | null = null
  /** By conversation or user: the last event that is on its way. */
  readonly #last = new Map<string, Promise<Failure | null>>()

  constructor(node: SenderNode, webhook: HeldWebhook, stream: ChangeStream, ended: AbortSignal) {
    this.#node = node
    this.#webhook = webhook
    this.#stream = stream
    this.#ended = ended
  }

  /** @returns why the receiver has not taken an event; null if something else ended it */
  async run(): Promise<Failure | null> {
    const storing = setInterval(() => void this.#storeOrEnd(), storeMs)
    try {
      for await (const event of this.#stream) {
        this.#at = event.item.place
        if (this.#wants(event)) this.#window.push(this.#send(event))
        const failure = await this.#settle(windowMax - 1)
        if (failure) return failure
      }
      return await this.#settle(0)
    } finally {
      clearInterval(storing)
      await this.#store()
    }
  }

  #wants({ item }: EventSource): boolean {
    if (item.type === 'started') return item.mode === 'RESET'
    if (item.type !== 'fact') return false
    const { kinds } = this.#webhook
    return kinds.length === 0 || kinds.includes(eventNameOf(item) ?? '')
  }

  async #storeOrEnd(): Promise<void> {
    if (!(await this.#store())) await this.#stream.return()
  }

  /** Waits until at most so many events are under way. @returns a failure, when all others have ended */
  async #settle(most: number): Promise<Failure | null> {
    while (this.#window.length > most) {
      const failure = (await this.#window[0]?.taken) ?? null
      if (failure) {
        await Promise.all(this.#window.map(({ taken }) => taken))
        return failure
      }
      this.#pass()
    }
    return null
  }

  /** Passes over the events at the beginning of the window that were taken. */
  #pass(): void {
    while (this.#window[0]?.isTaken) this.#done = this.#window.shift()?.place ?? this.#done
    if (this.#window.length === 0) this.#done = this.#at
  }

  /** Stores the place of what was taken. @returns whether this node still holds the webhook */
  async #store(): Promise<boolean> {
    this.#pass()
    const { app } = this.#node
    const place = this.#done
    if (!place || place === this.#stored) return true
    this.#stored = place
    const { epochKey } = parseCursor(app.journal.cursor(place), 'cursor')
    try {
      return await moveTo(this.#webhook, place, String(epochKey), app.store.jobs.reader)
    } catch (error) {
      reportFailure(app.log, error, 'the place of a webhook could not be stored')
      return false
    }
  }

  /** Sends an event after the one before it of the same conversation. */
  #send(event: EventSource): Sending {
    const { item } = event
    const about = item.type === 'fact' ? String(item.fact.conversationId ?? `user ${item.fact.userId}`) : ''
    const before = this.#last.get(about)
    const taken = (async () => {
      const failure = await before
      // What comes after a failure is sent again with it.
      return failure ?? this.#limit(() => this.#post(event))
    })()
    const sending: Sending = { place: item.place, taken, isTaken: false }
    this.#last.set(about, taken)
    void taken.then((failure) => {
      sending.isTaken = failure === null
      if (failure) void this.#stream.return()
      if (this.#last.get(about) === taken) this.#last.delete(about)
    })
    return sending
  }

  async #post(event: EventSource): Promise<Failure | null> {
    if (this.#ended.aborted) return stopped
    const { poster, read } = this.#node
    const { id, secret, url } = this.#webhook
    const { item, occurredAt } = event
    try {
      const data = await read(event, this.#webhook.tenant)
      const body = Buffer.from(JSON.stringify({ type: eventNameOf(item), timestamp: occurredAt.toISOString(), data }))
      const messageId = `whk_${id}_${item.place.position}_${item.place.tag}`
      const result = await attempt(poster, new URL(url), () => ({
        headers: { 'content-type': 'application/json', ...signWebhook(messageId, body, secret) },
        body,
      }))
      if (result.type === 'SENT') return null
      const error = result.type === 'GONE' ? 'the receiver answered 404 or 410' : result.error
      return { error, afterMs: result.type === 'LATER' ? result.afterMs : null, isOurs: false }
    } catch (error) {
      reportFailure(this.#node.app.log, error, 'an event could not be read for a webhook')
      return { error: 'the event could not be read', afterMs: null, isOurs: true }
    }
  }
}

/** Where a webhook continues; from the head if the journal can no longer continue from its place. */
async function startOf(webhook: HeldWebhook, { journal }: App): Promise<Start> {
  const cursor = cursorOf(webhook)
  const reason = await journal.findResetReason(cursor)
  return reason === null ? { mode: 'RESUMED', place: cursor } : { mode: 'RESET', reason, place: journal.head() }
}

/** Later with each failure, up to an hour, and not at the same moment for all. */
function retryAt({ failures }: HeldWebhook, { afterMs }: Failure, { clock }: App): Date {
  const ms = Math.min(backOff.firstMs * 2 ** failures, backOff.mostMs)
  return new Date(clock.now() + (afterMs ?? ms * (0.5 + Math.random() / 2)))
}
