// Opens the subscriptions of a node: `events`, which the shared execution executes, and signals.

import { isAsyncIterable } from '@envelop/core'
import {
  createSourceEventStream,
  type ExecutionArgs,
  type ExecutionResult,
  GraphQLError,
  type GraphQLSchema,
  type SubscriptionArgs,
} from 'graphql'
import { closeCodes, ParleyError } from '../errors.ts'
import type { Stream } from '../journal/stream.ts'
import type { App } from '../parts.ts'
import type { Context } from './context.ts'
import { costMax } from './cost.ts'
import { findPlan } from './documents.ts'
import { execute } from './engine.ts'
import { withClientErrors } from './errors.ts'
import type { EventSource } from './event.ts'
import { UserQueues } from './fair-queue.ts'
import { FairScheduler, type Turn } from './fair-scheduler.ts'
import { findOperationKey } from './operation-key.ts'
import { OperationKeys } from './operation-keys.ts'
import { PayloadStream } from './payload-stream.ts'
import { type EventOperation, SharedExecution } from './shared-execution.ts'

/** How many subscriptions of one user are opened at once. Each may read from Postgres. */
const openingBounds = { atOnce: 8, waitingMax: 1_000, waitMs: 5_000 } as const

const done = { done: true, value: undefined } as const

/** What the resolver of `events` returns: a stream for a PayloadStream to consume, which is never iterated. */
export class EventSourceStream implements AsyncIterable<never> {
  readonly stream: Stream

  constructor(stream: Stream) {
    this.stream = stream
  }

  [Symbol.asyncIterator](): AsyncIterator<never> {
    throw new Error('a stream of events has a consumer of its own')
  }
}

/** What the resolver of `changes` returns: events for one consumer. One that cannot be read now ends the connection, and is not skipped. */
export class EventSourceIterable implements AsyncIterable<EventSource> {
  readonly #events: AsyncIterableIterator<EventSource>

  constructor(events: AsyncIterableIterator<EventSource>) {
    this.#events = events
  }

  [Symbol.asyncIterator](): AsyncIterator<EventSource> {
    return this.#events
  }
}

/** The subscriptions of a node. */
export class Subscriptions {
  readonly #keys = new OperationKeys()
  readonly #scheduler = new FairScheduler()
  readonly #opening = new UserQueues(openingBounds, 'You are opening too many subscriptions at once. Try again.')
  readonly #execution: SharedExecution

  constructor(app: App, schema: GraphQLSchema) {
    this.#execution = new SharedExecution(app, schema, this.#keys, this.#scheduler)
  }

  /**
   * Opens a subscription to `events`.
   * @returns its payloads, or why it was refused; null for any other operation
   */
  async openEvents(args: SubscriptionArgs): Promise<PayloadStream | ExecutionResult | null> {
    const operation = { ...(args as ExecutionArgs as EventOperation), variableValues: args.variableValues ?? {} }
    const found = findOperationKey(args.schema, args.document, args.operationName, operation.variableValues)
    if (!found) return null
    const key = this.#keys.register(found)
    const context = operation.contextValue
    let release: () => void = () => undefined
    let payloads: PayloadStream | null = null
    try {
      // Without a viewer, the resolver refuses.
      if (context.caller.viewer) release = this.#keys.hold(context.caller.viewer.userId, key)
      const source = await this.#open(args, context)
      if (!(source instanceof EventSourceStream)) return withClientErrors(source as ExecutionResult, context)
      payloads = new PayloadStream(this.#execution, operation, key, source.stream, release)
      return payloads
    } catch (error) {
      return withClientErrors(refusalOf(error), context)
    } finally {
      if (!payloads) release()
    }
  }

  /**
   * Opens a subscription to a signal, or to `changes`. Each of its values is executed in turns with other executions.
   * @returns its results, or why it was refused
   */
  async openSignals(args: SubscriptionArgs): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult> {
    const context = args.contextValue as Context
    const source = await this.#open(args, context).catch(refusalOf)
    if (!isAsyncIterable(source)) return source
    const values = source[Symbol.asyncIterator]()
    const planned = findPlan(args.document, args.operationName)?.cost
    const userId = context.caller.viewer?.userId ?? 0
    const cost = typeof planned === 'number' ? planned : costMax.event
    let hasEnded = false
    const turn: Turn = { userId, cost, share: 1, isOver: () => hasEnded }
    const close = async () => {
      hasEnded = true
      await values.return?.()
      return done
    }
    const results: AsyncIterableIterator<ExecutionResult> = {
      [Symbol.asyncIterator]() {
        return this
      },
      next: async () => {
        const next = await values.next()
        if (next.done) return done
        // Rows that do not depend on the viewer are cached while nothing changes them.
        const contextValue = { ...context, scope: {} }
        const run = () => execute({ ...(args as ExecutionArgs), contextValue, rootValue: next.value })
        const value = await this.#scheduler.run(turn, run)
        if (value === null) return done
        if (!(source instanceof EventSourceIterable)) return { done: false, value }
        const told = withClientErrors(value, context)
        if (!told.errors?.some(({ extensions }) => extensions.code === 'UNAVAILABLE')) return { done: false, value: told }
        context.endConnection(closeCodes.RESUME, 'An event could not be read. Resume from your last cursor.')
        return close()
      },
      return: close,
      async throw(error) {
        await close()
        throw error
      },
    }
    return results
  }

  /** Opens the source of a subscription, a few at a time for each user. @throws ParleyError RATE_LIMITED */
  #open(args: SubscriptionArgs, { caller }: Context): Promise<AsyncIterable<unknown> | ExecutionResult> {
    const open = async () => createSourceEventStream(args)
    return caller.viewer ? this.#opening.run(caller.viewer.userId, open) : open()
  }
}

function refusalOf(error: unknown): ExecutionResult {
  if (!(error instanceof ParleyError)) throw error
  return { errors: [new GraphQLError(error.message, { originalError: error })] }
}
