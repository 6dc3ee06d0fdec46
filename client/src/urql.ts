// Parley for urql: subscriptions over the client's socket, and an exchange that applies events to the answers of queries.

import { type Exchange, makeOperation, type Operation, type OperationResult, type SubscriptionForwarder } from '@urql/core'
import { filter, makeSubject, map, merge, pipe } from 'wonka'
import type { ParleyClient } from './client.ts'
import type { ServerError } from './failure.ts'
import { News } from './news.ts'
import { applyEvent, type EventData } from './patch.ts'
import { isIncluded, type JournalPlace, laterOf, placeOf, placeOfAnswer } from './place.ts'
import { isStale, Refresher } from './stale.ts'

/** For `subscriptionExchange`: typing and presence over the client's socket. For `events` use `client.follow`. */
export function forwardSubscription(client: ParleyClient): SubscriptionForwarder {
  return ({ query = '', variables }) => ({
    subscribe: (sink) => ({
      unsubscribe: client.subscribe<Record<string, unknown>, Record<string, unknown>>(
        query,
        { ...variables },
        {
          next: (data) => sink.next({ data }),
          failed: ({ errors }) => {
            sink.next({ errors: errors as (ServerError & Error)[] })
            sink.complete()
          },
          completed: () => sink.complete(),
        },
      ),
    }),
  })
}

/** How many answers are kept up to date. */
const keptMax = 200
/** The context field of an operation that holds the latest known place when it was sent: its answer includes that. */
const sentAt = 'parleySentAt'

/** An answer that is kept up to date, and the place up to which it was complete when it arrived. */
type Kept = { readonly result: OperationResult; readonly place: JournalPlace | null }

/** Applies events to the answers of one urql client. */
export type LiveExchange = {
  /** Put it before `cacheExchange`. */
  readonly exchange: Exchange
  /**
   * Applies an event to all answers, on the screen and from urql's cache, and reads those again soon that only the server can tell: counts,
   * the order of lists, what you may do. Call it from `onEvent`.
   */
  apply(event: EventData): void
  /** Forgets all events and answers, and reruns the queries on the screen. Call it from `snapshot` once you have the cursor. */
  reset(): void
}

/** Makes an exchange that keeps the answers of queries up to date with events. Each urql client needs its own. */
export function liveExchange(): LiveExchange {
  const kept = new Map<number, Kept>()
  const active = new Map<number, Operation>()
  const news = new News()
  /** Reads the answers on the screen again that events have made stale, and forgets the others. */
  const refresher = new Refresher((events) => {
    for (const [key, { result, place }] of kept) {
      if (!events.some((event) => !isIncluded(placeOf(event.cursor), place) && isStale(result.data, event))) continue
      const operation = active.get(key)
      if (operation) rerun(operation)
      else kept.delete(key)
    }
  })
  let rerun: (operation: Operation) => void = () => undefined
  const { source, next } = makeSubject<OperationResult>()
  /** An answer of the server, brought up to date. */
  const received = (result: OperationResult): Kept => {
    const place = laterOf(placeOfAnswer(result), (result.operation.context[sentAt] as JournalPlace | undefined) ?? null)
    const data = news.answered(result.data, place)
    return { place, result: data === result.data ? result : { ...result, data } }
  }
  const keep = (result: OperationResult): OperationResult => {
    const { key, context } = result.operation
    const before = kept.get(key)
    // A cached answer is as old as its request; the kept one has had every event since. So has a kept answer that was read later
    // than this one but arrived first.
    const isCached = context.meta?.cacheOutcome === 'hit'
    let now = isCached && before ? before : received(result)
    if (before?.place && now.place && !isIncluded(before.place, now.place) && before.place.epoch === now.place.epoch) now = before
    kept.delete(key)
    kept.set(key, now)
    for (const oldest of kept.keys()) if (kept.size > keptMax && !active.has(oldest)) kept.delete(oldest)
    return now.result.data === result.data ? result : { ...result, data: now.result.data }
  }
  const note = (operation: Operation): Operation => {
    const { key, kind, context } = operation
    if (kind === 'teardown') active.delete(key)
    if (kind === 'teardown' || kind === 'subscription') return operation
    const stamped = makeOperation(kind, operation, { ...context, [sentAt]: news.latest })
    if (kind === 'mutation') return stamped
    active.set(key, operation)
    // An answer in urql's cache that is not kept here may have missed events.
    return kept.has(key) || context.requestPolicy === 'cache-only' ? stamped : fromNetwork(stamped)
  }
  const seen = (result: OperationResult): OperationResult => {
    if (!result.data || result.operation.kind === 'subscription') return result
    return result.operation.kind === 'query' ? keep(result) : received(result).result
  }
  return {
    exchange:
      ({ forward, client }) =>
      (operations) => {
        rerun = (operation) => client.reexecuteOperation(fromNetwork(operation))
        return merge([
          pipe(forward(pipe(operations, map(note))), map(seen)),
          pipe(
            source,
            filter(({ operation }) => active.has(operation.key)),
          ),
        ])
      },
    apply(event) {
      const newest = news.add(event)
      refresher.add(event)
      for (const [key, { result, place }] of kept) {
        if (isIncluded(placeOf(event.cursor), place)) continue
        const data = applyEvent(result.data, newest)
        if (data === result.data) continue
        const live = { ...result, data }
        kept.set(key, { result: live, place })
        next(live)
      }
    },
    reset() {
      news.clear()
      refresher.clear()
      kept.clear()
      for (const operation of active.values()) rerun(operation)
    },
  }
}

const fromNetwork = (operation: Operation) =>
  makeOperation(operation.kind, operation, { ...operation.context, requestPolicy: 'network-only' })
