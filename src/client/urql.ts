// Parley for urql: subscriptions over the client's socket, and an exchange that applies events to the answers of queries.

import { type Exchange, makeOperation, type Operation, type OperationResult, type SubscriptionForwarder } from '@urql/core'
import { filter, makeSubject, map, merge, pipe } from 'wonka'
import type { ParleyClient } from './client.ts'
import type { ServerError } from './failure.ts'
import { applyEvent, RecentEvents, type TellingEvent } from './patch.ts'

/** For `subscriptionExchange`: typing and presence over the socket of a client. `events` are for `client.follow`. */
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

/** Answers that are kept up to date. */
const keptMax = 200

/** What applies events to urql's answers. */
export type Live = {
  /** To be put before `cacheExchange`. */
  readonly exchange: Exchange
  /** Applies an event to all answers that are shown, and to those that urql gives from its cache: call it from `onEvent`. */
  apply(event: TellingEvent): void
  /** Forgets all events and answers: what is shown is asked anew. Call it from `snapshot`, when you have the cursor. */
  reset(): void
}

/** Makes an exchange that keeps the answers of queries up to date by events. For one urql client. */
export function liveExchange(): Live {
  const kept = new Map<number, OperationResult>()
  const active = new Map<number, Operation>()
  const recent = new RecentEvents()
  let askAgain: (operation: Operation) => void = () => undefined
  const { source, next } = makeSubject<OperationResult>()
  const keep = (result: OperationResult): OperationResult => {
    const { key } = result.operation
    const cached = result.operation.context.meta?.cacheOutcome === 'hit' ? kept.get(key) : undefined
    // What comes from the cache is as old as when it was asked; what is kept has heard of everything since. What comes from the
    // server may be older than events that were faster.
    const data = cached ? cached.data : recent.applyTo(result.data)
    const live = data === result.data ? result : { ...result, data }
    kept.delete(key)
    kept.set(key, live)
    for (const oldest of kept.keys()) if (kept.size > keptMax && !active.has(oldest)) kept.delete(oldest)
    return live
  }
  const note = (operation: Operation): Operation => {
    const { key, kind, context } = operation
    if (kind === 'teardown') active.delete(key)
    if (kind !== 'query') return operation
    active.set(key, operation)
    // What urql has in its cache, and we have not kept, has not heard of all events.
    return kept.has(key) || context.requestPolicy === 'cache-only' ? operation : anew(operation)
  }
  return {
    exchange:
      ({ forward, client }) =>
      (operations) => {
        askAgain = (operation) => client.reexecuteOperation(anew(operation))
        return merge([
          pipe(
            forward(pipe(operations, map(note))),
            map((result) => (result.operation.kind === 'query' && result.data ? keep(result) : result)),
          ),
          pipe(
            source,
            filter(({ operation }) => active.has(operation.key)),
          ),
        ])
      },
    apply(event) {
      recent.add(event)
      for (const [key, result] of kept) {
        const data = applyEvent(result.data, event)
        if (data === result.data) continue
        const live = { ...result, data }
        kept.set(key, live)
        next(live)
      }
    },
    reset() {
      recent.clear()
      kept.clear()
      for (const operation of active.values()) askAgain(operation)
    },
  }
}

const anew = (operation: Operation) =>
  makeOperation(operation.kind, operation, { ...operation.context, requestPolicy: 'network-only' })
