// The answers of one subscription to `events`, on their way to a WebSocket or an event stream over HTTP.

import { createSourceEventStream, type ExecutionArgs, type ExecutionResult, type SubscriptionArgs } from 'graphql'
import type { Consumer, StreamItem } from '../journal/item.ts'
import type { Stream } from '../journal/stream.ts'
import type { Answer, Asked, Asking, Broadcast } from './broadcast.ts'
import { eventNameOf } from './event.ts'
import { findQuestion, type Question } from './question.ts'

/** Where answers go. */
export type Sink = {
  /**
   * Takes an answer, as JSON.
   * @returns whether it takes another one at once; where not, it calls `more` when it does
   */
  take(answer: Buffer, more: () => void): boolean
}

/** A result that is JSON already. Yoga asks it for its text. */
export type ReadyResult = ExecutionResult & { stringify(): string }

const done = { done: true, value: undefined } as const

/** What the resolver of `events` gives: a stream that is taken over, and never iterated. */
export class EventSourceStream implements AsyncIterable<never> {
  readonly stream: Stream

  constructor(stream: Stream) {
    this.stream = stream
  }

  [Symbol.asyncIterator](): AsyncIterator<never> {
    throw new Error('events are taken by their consumer')
  }
}

/** The answers of an open subscription: pushed to a sink, or pulled one by one. */
export class Answers implements Consumer {
  readonly #broadcast: Broadcast
  readonly #asking: Asking
  readonly #asked: Asked
  readonly #stream: Stream
  readonly #more: () => void
  #sink: Sink | null = null
  #hasEnded = false
  #onEnd: () => void = () => undefined

  constructor(broadcast: Broadcast, asking: Asking, question: Question, stream: Stream) {
    this.#broadcast = broadcast
    this.#asking = asking
    this.#asked = broadcast.askedBy(question)
    this.#stream = stream
    this.#more = () => stream.more()
  }

  take(item: StreamItem): boolean {
    const name = eventNameOf(item)
    if (name === null) return true // told by a newer version of Parley; this one has no words for it
    const seesWholeHistory = item.type === 'fact' && this.#stream.seesWholeHistory(item.fact)
    const answer = this.#broadcast.answer(this.#asking, this.#asked, item, name, seesWholeHistory)
    if (!(answer instanceof Promise)) return this.#hand(answer)
    answer.then(
      (made) => {
        if (this.#hand(made)) this.#more()
      },
      (error: unknown) => this.#stream.fail(error),
    )
    return false
  }

  ended(fault: unknown): void {
    this.#hasEnded = true
    if (fault !== null) this.#broadcast.failed(this.#asking, fault)
    this.#onEnd()
  }

  /** Whether another item is taken at once. */
  #hand(answer: Answer): boolean {
    if (this.#hasEnded || answer === null) return false
    return this.#sink?.take(answer, this.#more) ?? false
  }

  /**
   * Pushes the answers to a sink, from the first `next` on.
   * @returns what ends when the answers do, and whose end ends them; it brings nothing itself
   */
  pushedTo(sink: Sink): AsyncIterableIterator<ExecutionResult> {
    return this.#iterator((end) => {
      this.#onEnd = end
      this.#sink = sink
      this.#stream.start(this)
    })
  }

  /** Gives the answers one by one, each when it is asked for. */
  pulled(): AsyncIterableIterator<ExecutionResult> {
    let give: (answer: Buffer) => void = () => undefined
    const sink: Sink = {
      take(answer) {
        give(answer)
        return false
      },
    }
    return this.#iterator((end, resolve) => {
      this.#onEnd = end
      give = (answer) => resolve({ stringify: () => String(answer) })
      if (this.#sink) return this.#more()
      this.#sink = sink
      this.#stream.start(this)
    })
  }

  /** An iterator that is ended at once, also while a `next` is waiting; a generator's end would wait behind it. */
  #iterator(ask: (end: () => void, give: (result: ReadyResult) => void) => void): AsyncIterableIterator<ExecutionResult> {
    const close = async () => {
      this.#stream.close()
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

/**
 * Opens a subscription to `events`.
 * @returns its answers, or why it was refused; null for an operation that is something else
 */
export async function openEvents(args: SubscriptionArgs, broadcast: Broadcast): Promise<Answers | ExecutionResult | null> {
  const asking = { ...(args as ExecutionArgs as Asking), variableValues: args.variableValues ?? {} }
  const question = findQuestion(args.schema, args.document, args.operationName, asking.variableValues)
  if (!question) return null
  const source = await createSourceEventStream(args)
  if (source instanceof EventSourceStream) return new Answers(broadcast, asking, question, source.stream)
  return broadcast.told(source as ExecutionResult, asking.contextValue)
}
