// Limits how often each user does what on a node (D7): a user who is too fast is refused with RATE_LIMITED, and disturbs nobody. The
// rates are decided in the memory of the node, before an operation runs; callers without a token are counted by their address, and a
// server key as one, no matter which user it acts for.

import type { Plugin } from '@envelop/core'
import { type ExecutionArgs, type ExecutionResult, OperationTypeNode } from 'graphql'
import { BurstyRateLimiter, RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import type { Config } from '../config/config.ts'
import { ParleyError } from '../errors.ts'
import type { Context } from '../graphql/context.ts'
import { costOf } from '../graphql/documents.ts'
import { clientError } from '../graphql/errors.ts'
import { type RootFields, rootFieldsOf } from '../graphql/root-fields.ts'
import type { App } from '../parts.ts'
import { neighbourhood } from './addresses.ts'
import { serverSteps } from './steps.ts'

type RateKind = keyof Config['rates']

/** The period in which the points of a burst come back, in seconds: a burst then adds little to the lasting rate. */
const burstS = 30

/** Signals, and what keeps a device current: apps send them without the user, often and cheaply. */
const signals: ReadonlySet<string> = new Set([
  'acknowledge',
  'heartbeat',
  'logOut',
  'markRead',
  'renewConnection',
  'sendSignal',
  'setTyping',
])
const searches: ReadonlySet<string> = new Set(['searchMessages', 'searchUsers'])

const tooMany: { readonly [kind in RateKind]: string } = {
  sends: 'You are sending messages too fast.',
  mutations: 'You are making changes too fast.',
  queries: 'You are sending queries too fast.',
  searches: 'You are searching too often.',
  signals: 'You are sending signals too fast.',
  anonymous: 'Too many operations without an access token come from your address.',
  serverKeys: 'The server key sends operations too fast.',
}

const anonymousPoints: ReadonlyMap<RateKind, number> = new Map([['anonymous', 1]])
const keyPoints: ReadonlyMap<RateKind, number> = new Map([['serverKeys', 1]])

/** A forwarding counts as this many messages, whatever it sends. */
const sendsOfForward = 5

/** A query counts once more for each of these costs: one that reads a thousand times as much is not as cheap. */
const costOfQuery = 2_500

/**
 * How often an operation of a user counts for each rate: each root field of a mutation once, a query or subscription by its cost.
 * @param queriesMax the most that one query counts, so that each can run
 */
function pointsOf({ type, names }: RootFields, cost: number, queriesMax: number): Map<RateKind, number> {
  const points = new Map<RateKind, number>()
  const add = (kind: RateKind) => points.set(kind, (points.get(kind) ?? 0) + 1)
  if (type !== OperationTypeNode.MUTATION) {
    points.set('queries', Math.min(1 + Math.floor(cost / costOfQuery), queriesMax))
    for (const name of names) if (searches.has(name)) add('searches')
  } else {
    for (const name of names) {
      if (name === 'forwardMessages') points.set('sends', (points.get('sends') ?? 0) + sendsOfForward)
      else add(name === 'sendMessage' ? 'sends' : signals.has(name) ? 'signals' : 'mutations')
    }
  }
  return points
}

/** The rates of a node. */
export type Rates = {
  /** Counts an operation. @returns the answer that refuses it; null if it may run */
  refusalOf(operation: ExecutionArgs): Promise<ExecutionResult | null>
}

/** Opens the rates of `app.config.rates`. */
export function openRates(app: App): Rates {
  const limiters = Object.fromEntries(
    Object.entries(app.config.rates).map(([kind, { perSecond, burst }]) => [
      kind,
      new BurstyRateLimiter(
        new RateLimiterMemory({ points: perSecond, duration: 1 }),
        new RateLimiterMemory({ points: Math.max(burst - perSecond, 0), duration: burstS }),
      ),
    ]),
  ) as { [kind in RateKind]: BurstyRateLimiter }

  const { perSecond: queriesMax } = app.config.rates.queries

  async function findRefusal({ caller, address }: Context, operation: ExecutionArgs): Promise<ParleyError | null> {
    const fields = rootFieldsOf(operation.document, operation.operationName)
    const { viewer, key: serverKey } = caller
    const key = serverKey ? String(serverKey.id) : viewer ? String(viewer.userId) : neighbourhood(address)
    for (const [kind, points] of serverKey
      ? keyPoints
      : viewer
        ? pointsOf(fields, costOf(operation) ?? 0, queriesMax)
        : anonymousPoints) {
      try {
        await limiters[kind].consume(key, points)
      } catch (error) {
        if (!(error instanceof RateLimiterRes)) throw error
        serverSteps.rateReached.publish({ kind })
        const retryAfterMs = Math.max(1, Math.ceil(error.msBeforeNext))
        return new ParleyError('RATE_LIMITED', `${tooMany[kind]} Try again after retryAfterMs.`, { retryAfterMs })
      }
    }
    return null
  }
  return {
    async refusalOf(operation) {
      const context = operation.contextValue as Context
      const error = await findRefusal(context, operation)
      return error && { errors: [clientError(error, context.requestId, app)] }
    },
  }
}

/** Refuses operations beyond the rates, before any part of them runs. Subscriptions of WebSockets count in socket.ts. */
export function useRates(rates: Rates): Plugin<Context & { call?: unknown }> {
  return {
    async onExecute({ args, setResultAndStopExecution }) {
      const refused = await rates.refusalOf(args)
      if (refused) setResultAndStopExecution(refused)
    },
    async onSubscribe({ args, setResultAndStopExecution }) {
      const refused = 'call' in args.contextValue ? null : await rates.refusalOf(args)
      if (refused) setResultAndStopExecution(refused)
    },
  }
}
