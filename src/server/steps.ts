// What the server does, as channels of node:diagnostics_channel like those in src/journal/steps.ts: for metrics and tracing. They
// carry names of the schema, codes and numbers, never what clients wrote.

import { channel } from 'node:diagnostics_channel'
import type { Plugin } from '@envelop/core'
import { isAsyncIterable } from '@envelop/core'
import type { DocumentNode, ExecutionResult } from 'graphql'
import { rootFieldsOf } from '../graphql/root-fields.ts'

/** A query or mutation that was executed, or a subscription that was opened. */
export type ExecutedOperation = {
  readonly type: string
  /** Its root field; `several` if it has different ones. */
  readonly field: string
  /** The code of its first error; OK if it has none. */
  readonly code: string
  readonly ms: number
}

/** The channels of the server. */
export const serverSteps = {
  /** An operation was executed: an `ExecutedOperation`. */
  operationExecuted: channel('parley:operation.executed'),
  /** An operation was answered with errors, executed or not: `{ code }`, that of the first. */
  operationFailed: channel('parley:operation.failed'),
  /** A rate has refused an operation: `{ kind }`. */
  rateReached: channel('parley:rate.reached'),
  /** A WebSocket has closed: `{ code }`. */
  socketClosed: channel('parley:socket.closed'),
} as const

/** What is known of an operation before it runs. */
type Given = { readonly document: DocumentNode; readonly operationName?: string | null | undefined }

/** Publishes an operation that began at this time (`performance.now`). `result` is its answer; an empty one for an open stream. */
export function publishExecuted({ document, operationName }: Given, startedAt: number, { errors }: ExecutionResult): void {
  if (!serverSteps.operationExecuted.hasSubscribers) return
  const { type, names } = rootFieldsOf(document, operationName)
  const [first = 'none'] = names
  const executed: ExecutedOperation = {
    type: type ?? 'none',
    field: names.every((name) => name === first) ? first : 'several',
    code: String(errors?.[0]?.extensions.code ?? 'OK'),
    ms: performance.now() - startedAt,
  }
  serverSteps.operationExecuted.publish(executed)
}

/**
 * Publishes each executed operation, except the streams of events over WebSockets, which socket.ts opens. Without a subscriber it
 * costs a look.
 */
export function useExecutedOperations(): Plugin {
  return {
    onExecute({ args }) {
      if (!serverSteps.operationExecuted.hasSubscribers) return undefined
      const startedAt = performance.now()
      return {
        onExecuteDone({ result }) {
          if (!isAsyncIterable(result)) publishExecuted(args, startedAt, result)
        },
      }
    },
    onSubscribe({ args }) {
      if (!serverSteps.operationExecuted.hasSubscribers) return undefined
      const startedAt = performance.now()
      return {
        onSubscribeResult({ result }) {
          publishExecuted(args, startedAt, isAsyncIterable(result) ? {} : result)
        },
      }
    },
  }
}
