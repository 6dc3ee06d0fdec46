// The payloads of one subscription to `events`, on their way to a WebSocket or an event stream over HTTP.

import type { ExecutionResult } from 'graphql'
import { closeCodes } from '../errors.ts'
import type { Position } from '../id.ts'
import type { Fact } from '../journal/fact.ts'
import type { FactVisibility } from '../journal/hub.ts'
import type { Consumer, StreamItem } from '../journal/item.ts'
import { steps } from '../journal/steps.ts'
import type { Stream } from '../journal/stream.ts'
import { eventNameOf } from './event.ts'
import type { RegisteredKey } from './operation-keys.ts'
import type { EventOperation, EventPayload, EventSubscription, SharedExecution } from './shared-execution.ts'

/** The destination of payloads. */
export type PayloadSink = {
  /**
   * Takes a payload.
   * @returns whether it takes the next one at once; if not, it calls `more` when it is ready
   */
  take(payload: Buffer, more: () => void): boolean
}

/** A result that is already JSON. Yoga calls `stringify` for its text. */
type SerializedResult = ExecutionResult & { stringify(): string }

const done = { done: true, value: undefined } as const

/** The payloads of an open subscription: pushed to a sink, or pulled one by one. */
export class PayloadStream implements Consumer, EventSubscription {
  readonly operation: EventOperation
  readonly key: RegisteredKey
  readonly #execution: SharedExecution
  readonly #stream: Stream
  readonly #more: () => void
  /** Whether the subscription has ended. */
  readonly isOver = () => this.#hasEnded
  readonly #release: () => void
  #sink: PayloadSink | null = null
  #hasEnded = false
  #onEnd: () => void = () => undefined

  /** @param release called when the subscription has ended, at least once */
  constructor(execution: SharedExecution, operation: EventOperation, key: RegisteredKey, stream: Stream, release: () => void) {
    this.#execution = execution
    this.operation = operation
    this.key = key
    this.#stream = stream
    this.#release = release
    this.#more = () => stream.more()
  }

  take(item: StreamItem): boolean {
    const name = eventNameOf(item)
    if (name === null) return true // its kind is from a newer version of Parley
    const payload = this.#execution.payloadOf(this, item, name)
    if (!(payload instanceof Promise)) return this.#deliver(item, payload)
    payload.then(
      (ready) => {
        if (this.#deliver(item, ready)) this.#more()
      },
      (error: unknown) => this.#stream.fail(error),
    )
    return false
  }

  visibilityOf(fact: Fact): FactVisibility {
    return this.#stream.visibilityOf(fact)
  }

  visibleUntil(fact: Fact): Position {
    return this.#stream.visibleUntil(fact)
  }

  ended(fault: unknown): void {
    this.#hasEnded = true
    this.#release()
    if (fault !== null) this.#reportFault(fault)
    this.#onEnd()
  }

  /** Logs the bug that ended the stream, and makes the client resume. */
  #reportFault(fault: unknown): void {
    const { app, requestId, endConnection } = this.operation.contextValue
    app.log.error({ err: fault, requestId }, 'a stream of events failed')
    endConnection(closeCodes.RESUME, 'The stream failed. The server has logged the error.')
  }

  /** @returns whether to take the next item at once */
  #deliver(item: StreamItem, payload: EventPayload): boolean {
    if (this.#hasEnded || payload === null) return false
    const takesNext = this.#sink?.take(payload, this.#more) ?? false
    if (item.type === 'fact' && steps.eventDelivered.hasSubscribers)
      steps.eventDelivered.publish({ position: item.fact.position })
    return takesNext
  }

  /**
   * Pushes the payloads to a sink, starting with the first `next`.
   * @returns an iterator without values that ends with the stream; ending the iterator ends the stream
   */
  pushedTo(sink: PayloadSink): AsyncIterableIterator<ExecutionResult> {
    return this.#iterator((end) => {
      this.#onEnd = end
      this.#sink = sink
      this.#stream.start(this)
    })
  }

  /** Returns the payloads one by one, on demand. */
  pulled(): AsyncIterableIterator<ExecutionResult> {
    let give: (payload: Buffer) => void = () => undefined
    const sink: PayloadSink = {
      take(payload) {
        give(payload)
        return false
      },
    }
    return this.#iterator((end, resolve) => {
      this.#onEnd = end
      give = (payload) => resolve({ stringify: () => String(payload) })
      if (this.#sink) return this.#more()
      this.#sink = sink
      this.#stream.start(this)
    })
  }

  /** An iterator that can end at once, even while a `next` is pending. A generator would have to finish that first. */
  #iterator(ask: (end: () => void, give: (result: SerializedResult) => void) => void): AsyncIterableIterator<ExecutionResult> {
    const close = async () => {
      this.#stream.close()
      this.#release()
      return done
    }
    return {
      [Symbol.asyncIterator]() {
        return this
      },
      next: () =>
        new Promise((resolve) => {
          const end = () => resolve(done)
          if (this.#hasEnded) end()
          else ask(end, (value) => resolve({ done: false, value }))
        }),
      return: close,
      async throw(error) {
        await close()
        throw error
      },
    }
  }
}
