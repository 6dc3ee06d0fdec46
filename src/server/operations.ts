// Limits how much of a node one user takes at once: a few operations under way, over HTTP and all WebSockets together, and a part
// of the connections to Postgres. Further operations wait a little (D7). Chatting does not wait for them.

import { isAsyncIterable, type Plugin } from '@envelop/core'
import { type DocumentNode, type ExecutionArgs, type ExecutionResult, OperationTypeNode } from 'graphql'
import type { Guard } from '../account/guard.ts'
import { ParleyError } from '../errors.ts'
import type { Context } from '../graphql/context.ts'
import { findPlan } from '../graphql/documents.ts'
import { clientError } from '../graphql/errors.ts'
import { UserQueues } from '../graphql/fair-queue.ts'
import { rootFieldsOf } from '../graphql/root-fields.ts'
import type { UserId } from '../id.ts'
import type { App } from '../parts.ts'
import type { Reader } from '../store/reader.ts'

/** The mutations of chatting, and those that keep a session alive. They have queues of their own. */
const chat: ReadonlySet<string> = new Set([
  'acknowledge',
  'heartbeat',
  'logOut',
  'markRead',
  'renewConnection',
  'sendMessage',
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

/** Limits what each user has under way. Refuses an operation with RATE_LIMITED if it waits too long or too many wait. */
export function useOperationBounds(app: App, guard: Guard): Plugin<Context> {
  const bounds = { atOnce: app.config.limits.operationsPerUserMax, ...waiting }
  const operations = new UserQueues(bounds, 'Too many of your operations are running. Wait for some of them to finish.')
  const statements = new UserQueues(statementBounds, 'Your operations read too much at once. Try again.')
  const readerOf = (userId: UserId): Reader => ({
    rows: (statement, values) => statements.run(userId, () => app.store.reader.rows(statement, values)),
  })
  return {
    onExecute({ args, executeFn, setExecuteFn }) {
      const { contextValue, document, operationName } = args
      const { viewer } = contextValue.caller
      const weight = viewer && weightOf(document, operationName)
      if (!weight || weight === 'CHAT') return
      const { userId, sessionId } = viewer
      setExecuteFn(async (given: ExecutionArgs): Promise<ExecutionResult> => {
        const context = weight === 'HEAVY' ? { ...contextValue, reader: readerOf(userId) } : contextValue
        const execute = async (): Promise<ExecutionResult> => {
          if (guard.hasEnded(sessionId)) throw new ParleyError('SESSION_REVOKED', 'The session has ended. Log in again.')
          const result = await executeFn({ ...given, contextValue: context })
          if (isAsyncIterable(result)) throw new Error('an operation gave many results')
          return result
        }
        try {
          return await operations.run(userId, execute)
        } catch (error) {
          return { errors: [clientError(error, contextValue.requestId, app)] }
        }
      })
    },
  }
}
