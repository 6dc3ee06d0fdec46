// The events of a device's subscription so far, and ways to wait for more of them without sleeping.

import type { EventsSubscription } from './generated/graphql.ts'

/** An event, with the fields that the tests select. */
export type EventSeen = EventsSubscription['events']
/** An event of one type. */
export type EventOf<Name extends EventSeen['__typename']> = EventSeen & { __typename: Name }

const patienceMs = 10_000

/** The events of one subscription, in order. */
export class EventLog {
  readonly seen: EventSeen[] = []
  readonly errors: unknown[] = []
  /** How the subscription or its socket ended; null while it runs. */
  ended: { code: number; reason: string } | null = null
  /** Cuts the socket. */
  cut: () => void = () => undefined
  /** Ends the subscription. */
  stop: () => void = () => undefined
  readonly #waiting = new Set<() => void>()

  /** The last received cursor. */
  get cursor(): string {
    const cursor = this.seen.at(-1)?.cursor
    if (!cursor) throw new Error('no event has come yet')
    return cursor
  }

  /** The texts of the received messages. */
  get texts(): string[] {
    return this.seen.flatMap((event) => (event.__typename === 'MessageSent' ? [event.message.text] : []))
  }

  take(result: { data?: EventsSubscription | null; errors?: readonly unknown[] }): void {
    if (result.errors) this.errors.push(...result.errors)
    if (result.data?.events) this.seen.push(result.data.events)
    this.#wake()
  }

  fail(error: unknown): void {
    this.errors.push(error)
    this.#wake()
  }

  end(how: { code: number; reason: string }): void {
    this.ended ??= how
    this.#wake()
  }

  /** Waits until a condition holds for the events. Fails with the events, after 10 s. */
  async until(what: string, holds: (log: EventLog) => boolean): Promise<this> {
    const deadline = Date.now() + patienceMs
    while (!holds(this)) {
      const left = deadline - Date.now()
      if (left <= 0) throw new Error(`timed out waiting for ${what}; came: ${this.#summary()}`)
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer)
          this.#waiting.delete(done)
          resolve()
        }
        const timer = setTimeout(done, left)
        this.#waiting.add(done)
      })
    }
    return this
  }

  /** Waits until the stream is live. */
  live(): Promise<this> {
    return this.until('CaughtUp', (log) => log.seen.some((event) => event.__typename === 'CaughtUp'))
  }

  /** Waits for a message with this text. */
  text(text: string): Promise<this> {
    return this.until(`the message "${text}"`, (log) => log.texts.includes(text))
  }

  /** Waits for the first event of a type. */
  async first<Name extends EventSeen['__typename']>(name: Name): Promise<EventOf<Name>> {
    const isOf = (event: EventSeen): event is EventOf<Name> => event.__typename === name
    await this.until(name, (log) => log.seen.some(isOf))
    const found = this.seen.find(isOf)
    if (!found) throw new Error(`no ${name}`)
    return found
  }

  /** Waits until the subscription or its socket has ended. */
  async ending(): Promise<{ code: number; reason: string }> {
    await this.until('the end', (log) => log.ended !== null)
    return this.ended ?? { code: 0, reason: '' }
  }

  #summary(): string {
    return JSON.stringify({
      events: this.seen.map((event) => event.__typename),
      texts: this.texts,
      errors: this.errors,
      ended: this.ended,
    })
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake()
  }
}
