// Limits how much of a node one user takes at once: a few operations under way, over HTTP and all WebSockets together, and a part
// of the connections to Postgres. Further operations wait a little (D7). Chatting does not wait for them.

import { isAsyncIterable, type Plugin } from '@envelop/core'
import { type DocumentNode, type ExecutionArgs, type ExecutionResult, OperationTypeNode } from 'graphql'
import { ParleyError } from '../errors.ts'
import type { Context } from '../graphql/context.ts'
import { findPlan } from '../graphql/documents.ts'
import { clientError } from '../graphql/errors.ts'
import { UserQueues } from '../graphql/fair-queue.ts'
import { rootFieldsOf } from '../graphql/root-fields.ts'
import type { App } from '../parts.ts'
import type { Reader } from '../store/reader.ts'
import type { ServerKey, Viewer } from '../viewer.ts'
import type { Guards } from './callers.ts'

/** The mutations of chatting, and those that keep a session alive. They have queues of their own. */
const chat: ReadonlySet<string> = new Set([
  'acknowledge',
  'heartbeat',
  'logOut',
  'markRead',
  'renewConnection',
  'sendMessage',
  'sendSignal',
  'setTyping',
])
/** The greatest cost of a light operation. */
const lightMax = 200
/** How many operations of a user may wait, and for how long: enough for an app that starts on several devices. */
const waiting = { waitingMax: 200, waitMs: 5_000 } as const
/** The statements of a user's heavy operations use at most four of the ten connections to Postgres at once. */
const statementBounds = { atOnce: 4, waitingMax: 2_000, waitMs: 5_000 } as const

/** `CHAT`: light, and only chatting. `LIGHT`: its few statements are not limited. `HEAVY`: its statements are limited too. */
type OperationWeight = 'CHAT' | 'LIGHT' | 'HEAVY'

function weightOf(document: DocumentNode, operationName: string | null | undefined): OperationWeight {
  const plan = findPlan(document, operationName)
  if (!plan || typeof plan.cost !== 'number' || plan.cost > lightMax) return 'HEAVY'
  const { type, names } = rootFieldsOf(document, operationName)
  return type === OperationTypeNode.MUTATION && names.every((name) => chat.has(name)) ? 'CHAT' : 'LIGHT'
}

/** The fields whose answers are mostly history, results of a search, and lists. A standby may serve them. */
const lists: ReadonlySet<string> = new Set([
  'conversation',
  'conversations',
  'searchMessages',
  'contacts',
  'contactRequests',
  'blockedUsers',
  'searchUsers',
])

/** Whether a standby may serve an operation. */
function readsLists(document: DocumentNode, operationName: string | null | undefined): boolean {
  const { type, names } = rootFieldsOf(document, operationName)
  return type === OperationTypeNode.QUERY && names.length > 0 && names.every((name) => lists.has(name))
}

/** A backend sends more at once than the devices of a user. */
const keyBounds = { atOnce: 32, waitingMax: 2_000, waitMs: 5_000 } as const

/** Whose queue an operation is in: that of its server key, no matter which user it acts for, or that of its user. */
const payerOf = (viewer: Viewer | null, key: ServerKey | null): number => (key ? -key.id : (viewer?.userId ?? 0))

/**
 * Limits what each user and each server key has under way. Refuses an operation with RATE_LIMITED if it waits too long or too many
 * wait.
 */
export function useOperationBounds(app: App, { guard, keyGuard }: Guards): Plugin<Context> {
  const bounds = { atOnce: app.config.limits.operationsPerUserMax, ...waiting }
  const tooMany = 'Too many of your operations are running. Wait for some of them to finish.'
  const [ofUsers, ofKeys] = [new UserQueues<number>(bounds, tooMany), new UserQueues<number>(keyBounds, tooMany)]
  const statements = new UserQueues<number>(statementBounds, 'Your operations read too much at once. Try again.')
  const readerOf = (payer: number, reader: Reader): Reader => ({
    rows: (statement, values) => statements.run(payer, () => reader.rows(statement, values)),
  })
  const requireOpen = (viewer: Viewer | null, key: ServerKey | null) => {
    if (key && keyGuard.hasEnded(key.id)) throw new ParleyError('UNAUTHENTICATED', 'The server key was revoked.')
    if (viewer && viewer.sessionId !== null && guard.hasEnded(viewer.sessionId)) {
      throw new ParleyError('SESSION_REVOKED', 'The session has ended. Log in again.')
    }
  }
  return {
    onExecute({ args, executeFn, setExecuteFn }) {
      const { contextValue, document, operationName } = args
      const { viewer, key } = contextValue.caller
      const weight = viewer || key ? weightOf(document, operationName) : null
      if (!weight || (weight === 'CHAT' && !key)) return
      const payer = payerOf(viewer, key)
      const { reader: primary } = contextValue
      const reader = readsLists(document, operationName) ? app.standby.readerFor(primary) : primary
      setExecuteFn(async (given: ExecutionArgs): Promise<ExecutionResult> => {
        const isPlain = weight !== 'HEAVY' && reader === primary
        const context = isPlain
          ? contextValue
          : { ...contextValue, reader: weight === 'HEAVY' ? readerOf(payer, reader) : reader }
        const execute = async (): Promise<ExecutionResult> => {
          requireOpen(viewer, key)
          const result = await executeFn({ ...given, contextValue: context })
          if (isAsyncIterable(result)) throw new Error('an operation gave many results')
          return result
        }
        try {
          return await (key ? ofKeys : ofUsers).run(payer, execute)
        } catch (error) {
          return { errors: [clientError(error, contextValue.requestId, app)] }
        }
      })
    },
  }
}
