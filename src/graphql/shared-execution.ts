// Executes each event once for all subscriptions with the same operation key, and delivers the same bytes to every socket and
// event stream of the node (A13, C1). An event that can't be shared is executed for each viewer; both ways give the same bytes.

import type { DocumentNode, ExecutionArgs, ExecutionResult, GraphQLSchema } from 'graphql'
import { closeCodes } from '../errors.ts'
import type { Position } from '../id.ts'
import type { Fact } from '../journal/fact.ts'
import type { FactVisibility } from '../journal/hub.ts'
import type { StreamItem } from '../journal/item.ts'
import { steps } from '../journal/steps.ts'
import { readLastLeft } from '../journal/tables.ts'
import type { App } from '../parts.ts'
import { isTransient } from '../store/postgres.ts'
import type { Reader } from '../store/reader.ts'
import type { Context, VisibleRange } from './context.ts'
import { execute } from './engine.ts'
import { withClientErrors } from './errors.ts'
import type { FairScheduler } from './fair-scheduler.ts'
import { type MaybePromise, mapMaybePromise } from './loader.ts'
import type { OperationKeys, RegisteredKey } from './operation-keys.ts'
import { type CachedItem, type EventExecution, PayloadCache, perViewer } from './payload-cache.ts'
import { flushingReader, viewerlessContext } from './viewerless-context.ts'

/** The JSON of an event for one subscription; null if the subscription has ended or its connection was ended instead. */
export type EventPayload = Buffer | null

/** A subscription to `events` as a client sent it, with its context. */
export type EventOperation = Readonly<
  Pick<ExecutionArgs, 'operationName'> & {
    document: DocumentNode
    contextValue: Context
    variableValues: Readonly<Record<string, unknown>>
  }
>

/** An open subscription to `events`. */
export type EventSubscription = {
  readonly operation: EventOperation
  readonly key: RegisteredKey
  /** What else its viewer may see now of a fact's conversation, and the last position at which they see it. */
  visibilityOf(fact: Fact): FactVisibility
  visibleUntil(fact: Fact): Position
  /** Whether it has ended. */
  isOver(): boolean
}

/** Executes the events of one node. */
export class SharedExecution {
  readonly #app: App
  readonly #schema: GraphQLSchema
  readonly #keys: OperationKeys
  readonly #scheduler: FairScheduler
  readonly #cache: PayloadCache
  readonly #reader: Reader
  /** Scopes of events whose execution has read from Postgres. */
  readonly #scopesRead = new WeakSet<object>()
  readonly #viewerless: Context

  constructor(app: App, schema: GraphQLSchema, keys: OperationKeys, scheduler: FairScheduler) {
    this.#app = app
    this.#schema = schema
    this.#keys = keys
    this.#scheduler = scheduler
    this.#reader = flushingReader(app.store)
    this.#viewerless = viewerlessContext(app, this.#reader)
    this.#cache = new PayloadCache(app.clock.now)
    app.journal.onFact((fact) => {
      if (app.journal.kinds.changesEarlierEvents(fact)) this.#cache.forget()
    })
    app.journal.onRestart(() => this.#cache.forget())
  }

  /**
   * The payload of an item for a subscription: at once if it is cached, otherwise in turns with other executions (D7).
   * @param name the type of the event
   */
  payloadOf(subscription: EventSubscription, item: StreamItem, name: string): MaybePromise<EventPayload> {
    const number = payloadNumberOf(subscription, item, name)
    const cached = number === null ? perViewer : this.#cache.entryOf(item).payloads.get(number)
    if (cached instanceof Buffer) return cached
    const share = 1 / this.#keys.usersOf(subscription.key)
    const shared = cached ?? this.#inTurn(subscription, share, () => this.#sharedPayload(subscription, item, name))
    return mapMaybePromise<Buffer | typeof perViewer | null, EventPayload>(shared, (payload) =>
      payload === perViewer ? this.#inTurn(subscription, 1, () => this.#viewerPayload(subscription, item)) : payload,
    )
  }

  /**
   * Executes an event in turns with other executions (D7).
   * @param share the fraction of its time that is charged to the subscription's viewer
   * @returns the result of `work`; null if the subscription ended first
   */
  #inTurn<T>({ operation, key, isOver }: EventSubscription, share: number, work: () => MaybePromise<T>): MaybePromise<T | null> {
    if (isOver()) return null
    const userId = operation.contextValue.caller.viewer?.userId ?? 0
    return this.#scheduler.run({ userId, cost: key.cost, share, isOver }, work)
  }

  /** The payload for all subscriptions with the same key and visibility; `perViewer` if it can't be shared, or no longer. */
  #sharedPayload(subscription: EventSubscription, item: StreamItem, name: string): MaybePromise<Buffer | typeof perViewer> {
    const number = payloadNumberOf(subscription, item, name)
    if (number === null) return perViewer
    const entry = this.#cache.entryOf(item)
    const cached = entry.payloads.get(number)
    if (cached !== undefined) return cached
    const payload = this.#executeShared(subscription, item, entry)
    if (!(payload instanceof Promise)) return this.#cache.store(entry, number, payload)
    const stored = payload.then(
      (ready) => this.#cache.store(entry, number, ready),
      (error: unknown) => {
        entry.payloads.delete(number)
        throw error
      },
    )
    entry.payloads.set(number, stored)
    return stored
  }

  /** Executes without a viewer. Any error ends the sharing of this event, because errors contain data of a single request. */
  #executeShared(subscription: EventSubscription, item: StreamItem, entry: CachedItem): MaybePromise<Buffer | typeof perViewer> {
    const execution = this.#executionOf(item, entry)
    const { scope } = execution
    const range = this.#visibleRange(subscription, item)
    const isWhole = visibilityOf(subscription, item) === 'WHOLE'
    const reader = this.#readerFor(scope)
    const context = Object.create(this.#viewerless, {
      scope: { value: scope },
      reader: { value: reader },
      wholeHistoryOf: { value: isWhole ? (range?.conversationId ?? null) : null },
      visibleRange: { value: range },
      holdsUntil: {
        value: (at: number) => {
          entry.holdsUntil = Math.min(entry.holdsUntil, at)
        },
      },
    } satisfies { [Key in keyof Context]?: { value: Context[Key] } }) as Context
    const finish = (result: ExecutionResult, isForEveryViewer: boolean) => {
      const isShared = isForEveryViewer && !result.errors
      if (steps.eventExecuted.hasSubscribers) steps.eventExecuted.publish({ isShared })
      return isShared ? bytesOf(result) : perViewer
    }
    return mapMaybePromise(this.#execute(subscription.operation, entry, execution, context), (result) => {
      if (range === null || result.errors || !this.#scopesRead.has(scope)) return finish(result, true)
      return this.#isForEveryViewer(range).then((isForEveryViewer) => finish(result, isForEveryViewer))
    })
  }

  /**
   * Whether no member has left since this node's last fact. If one has, the rows may be newer than that leave, and the event is
   * executed for each viewer.
   */
  async #isForEveryViewer({ conversationId, until }: VisibleRange): Promise<boolean> {
    try {
      const lastLeft = await readLastLeft(this.#app.store.reader, [conversationId])
      return (lastLeft.get(conversationId) ?? 0) <= until
    } catch (error) {
      if (isTransient(error)) return false // the execution for each viewer fails too, and reports it
      throw error
    }
  }

  #viewerPayload(subscription: EventSubscription, item: StreamItem): MaybePromise<EventPayload> {
    if (steps.eventExecuted.hasSubscribers) steps.eventExecuted.publish({ isShared: false })
    const entry = this.#cache.entryOf(item)
    const execution = this.#executionOf(item, entry)
    const context: Context = {
      ...subscription.operation.contextValue,
      scope: execution.scope,
      reader: this.#readerFor(execution.scope),
      visibleRange: this.#visibleRange(subscription, item),
    }
    const finish = (raw: ExecutionResult): EventPayload => {
      const result = withClientErrors(raw, context)
      // Do not skip an event that cannot be read now: the client resumes from the cursor before it.
      if (result.errors?.some(({ extensions }) => extensions.code === 'UNAVAILABLE')) {
        context.endConnection(closeCodes.RESUME, 'An event could not be read. Resume from your last cursor.')
        return null
      }
      return bytesOf(result)
    }
    return mapMaybePromise(this.#execute(subscription.operation, entry, execution, context), finish)
  }

  /** What a subscription's viewer may see now of an item's conversation. */
  #visibleRange(subscription: EventSubscription, item: StreamItem): VisibleRange | null {
    if (item.type !== 'fact' || item.fact.conversationId === null) return null
    const isOpen = subscription.visibilityOf(item.fact) !== 'ENDED'
    const until = isOpen ? this.#app.journal.deliveredPosition() : subscription.visibleUntil(item.fact)
    return { conversationId: item.fact.conversationId, isOpen, until }
  }

  #executionOf(item: StreamItem, entry: CachedItem): EventExecution {
    if (entry.execution) return entry.execution
    const event = { item, cursor: this.#app.journal.cursor(item.place), occurredAt: new Date(entry.occurredAt) }
    entry.execution = { event, scope: {}, underWay: 0 }
    return entry.execution
  }

  /** The reader of an event's executions. It notes that they have read: rows that one has read serve the others of the scope. */
  #readerFor(scope: object): Reader {
    return {
      rows: (statement, values) => {
        this.#scopesRead.add(scope)
        return this.#reader.rows(statement, values)
      },
    }
  }

  #execute(
    { document, operationName, variableValues }: EventOperation,
    entry: CachedItem,
    execution: EventExecution,
    contextValue: Context,
  ) {
    execution.underWay += 1
    const end = () => {
      execution.underWay -= 1
      if (execution.underWay === 0) entry.execution = null
    }
    let result: ReturnType<typeof execute> | undefined
    try {
      result = execute({
        schema: this.#schema,
        document,
        operationName: operationName ?? null,
        variableValues,
        rootValue: execution.event,
        contextValue,
      })
      return result instanceof Promise ? result.finally(end) : result
    } finally {
      if (!(result instanceof Promise)) end()
    }
  }
}

const visibilityOf = (subscription: EventSubscription, item: StreamItem): FactVisibility =>
  item.type === 'fact' ? subscription.visibilityOf(item.fact) : 'PART'

/**
 * The number of an item's payload, which is the same for all subscriptions that may share it. Null if the item is executed for
 * this subscription alone.
 */
function payloadNumberOf(subscription: EventSubscription, item: StreamItem, name: string): number | null {
  const { key } = subscription
  if (item.type === 'started' || item.type === 'caughtUp' || !key.shared.has(name)) return null
  const visibility = visibilityOf(subscription, item)
  // Users who have left the conversation see it up to different positions.
  if (visibility === 'ENDED') return null
  return visibility === 'WHOLE' ? key.number + 1 : key.number
}

function bytesOf(result: ExecutionResult): Buffer {
  return Buffer.from(JSON.stringify(result))
}
