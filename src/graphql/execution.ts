// Executes the operations of all transports: applies limits, runs operations that select `syncCursor` in one snapshot, and
// brings errors into their final form.

import { isAsyncIterable, type Plugin, useEngine } from '@envelop/core'
import {
  BREAK,
  type DocumentNode,
  type ExecutionArgs,
  getOperationAST,
  OperationTypeNode,
  type SubscriptionArgs,
  visit,
} from 'graphql'
import { readHead } from '../journal/tables.ts'
import type { App } from '../parts.ts'
import type { Reader } from '../store/reader.ts'
import type { Context } from './context.ts'
import { costOf, parseDocument, refusalsOf, validateDocument } from './documents.ts'
import { execute } from './engine.ts'
import { clientError, withClientErrors } from './errors.ts'
import { UserQueues } from './fair-queue.ts'
import { PayloadStream } from './payload-stream.ts'
import { withCursor } from './place.ts'
import type { Subscriptions } from './subscriptions.ts'

/**
 * Our engine. It checks documents before they are used, on every transport. It executes an event once for all subscriptions with
 * the same operation key. Executions for one user take turns with those for others.
 */
export function useOurEngine(subscriptions: Subscriptions): Plugin {
  const subscribe = async (args: SubscriptionArgs) => {
    const opened = await subscriptions.openEvents(args)
    return opened instanceof PayloadStream ? opened.pulled() : (opened ?? subscriptions.openSignals(args))
  }
  return useEngine({ parse: parseDocument, validate: validateDocument, execute, subscribe })
}

/**
 * Refuses operations that cost too much or have invalid variables, before any part of them runs. Over a WebSocket, the check
 * already happened when the operation was prepared.
 */
export function useAdmission(app: App): Plugin<Context & { call?: unknown }> {
  const refusal = ({ schema, document, operationName, variableValues, contextValue }: ExecutionArgs) => {
    if ('call' in (contextValue as object)) return null
    const errors = refusalsOf(schema, document, operationName, variableValues)
    return errors && { errors: errors.map((error) => clientError(error, (contextValue as Context).requestId, app)) }
  }
  return {
    onExecute({ args, setResultAndStopExecution }) {
      const refused = refusal(args)
      if (refused) setResultAndStopExecution(refused)
    },
    onSubscribe({ args, setResultAndStopExecution }) {
      const refused = refusal(args as ExecutionArgs)
      if (refused) setResultAndStopExecution(refused)
    },
  }
}

/** Adds the cost of an operation to its answer, as `extensions.cost`, if the request asks for it. */
export function useCost(): Plugin<Context> {
  return {
    onExecute({ args }) {
      if (!args.contextValue.asksForCost) return undefined
      return {
        onExecuteDone({ result, setResult }) {
          if (isAsyncIterable(result)) return
          setResult({ ...result, extensions: { ...result.extensions, cost: costOf(args) } })
        },
      }
    },
  }
}

/** Brings all errors of an execution into the form that clients see, with the request ID. */
export function useClientErrors(): Plugin<Context> {
  return {
    onExecute: ({ args }) => ({
      onExecuteDone({ result, setResult }) {
        if (!isAsyncIterable(result)) setResult(withClientErrors(result, args.contextValue))
      },
    }),
    onSubscribe: ({ args }) => ({
      onSubscribeResult({ result, setResult }) {
        if (!isAsyncIterable(result)) return setResult(withClientErrors(result, args.contextValue))
        return {
          onNext(next) {
            const result = withClientErrors(next.result, args.contextValue)
            next.setResult(result.errors ? Object.assign({}, result, { stringify: () => JSON.stringify(result) }) : result)
          },
        }
      },
    }),
  }
}

const asksForSnapshot = new WeakMap<DocumentNode, boolean>()

/** Whether a document selects `syncCursor` anywhere, under any alias and in any fragment. */
function selectsSyncCursor(document: DocumentNode): boolean {
  let answer = asksForSnapshot.get(document)
  if (answer === undefined) {
    answer = false
    visit(document, {
      Field({ name }) {
        if (name.value !== 'syncCursor') return undefined
        answer = true
        return BREAK
      },
    })
    asksForSnapshot.set(document, answer)
  }
  return answer
}

/** The bounds of one user's snapshots. They leave the other connections for snapshots to other users. */
const snapshotBounds = { atOnce: 2, waitingMax: 100, waitMs: 5_000 } as const

/**
 * Runs an operation that selects `syncCursor` in one read-only snapshot, whose first statement reads the place of the last fact
 * (D4). If Postgres fails in between, the whole operation fails: half a snapshot is useless.
 */
export function useSnapshots(app: App): Plugin<Context> {
  const snapshots = new UserQueues(snapshotBounds, 'You are reading too many snapshots at once. Try again.')
  return {
    onExecute({ args, executeFn, setExecuteFn }) {
      const isQuery = getOperationAST(args.document, args.operationName)?.operation === OperationTypeNode.QUERY
      const { viewer } = args.contextValue.caller
      // Without a viewer, the field itself refuses.
      if (!isQuery || !viewer || !selectsSyncCursor(args.document)) return
      setExecuteFn(async (given: ExecutionArgs) => {
        const read = async (reader: Reader) => {
          const snapshot = await readHead(reader)
          const contextValue: Context = { ...args.contextValue, reader, snapshot }
          return withCursor(await executeFn({ ...given, contextValue }), app.journal.cursor(snapshot))
        }
        try {
          return await snapshots.run(viewer.userId, () => app.store.snapshot(read))
        } catch (error) {
          return { errors: [clientError(error, args.contextValue.requestId, app)] }
        }
      })
    },
  }
}
