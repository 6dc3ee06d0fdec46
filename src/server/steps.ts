// What the server does, as channels of node:diagnostics_channel like those in src/journal/steps.ts: for metrics and tracing. They
// carry names of the schema, codes and numbers, never what clients wrote.

import { channel } from 'node:diagnostics_channel'
import type { Plugin } from '@envelop/core'
import { isAsyncIterable } from '@envelop/core'
import type { ExecutionResult } from 'graphql'
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

/** Publishes each executed operation. Without a subscriber it costs a look. */
export function useExecutedOperations(): Plugin {
  const publish = ({ document, operationName }: Parameters<typeof describe>[0], startedAt: number, result: unknown) =>
    serverSteps.operationExecuted.publish(describe({ document, operationName }, startedAt, result as ExecutionResult))
  return {
    onExecute({ args }) {
      if (!serverSteps.operationExecuted.hasSubscribers) return undefined
      const startedAt = performance.now()
      return {
        onExecuteDone({ result }) {
          if (!isAsyncIterable(result)) publish(args, startedAt, result)
        },
      }
    },
    onSubscribe({ args }) {
      if (!serverSteps.operationExecuted.hasSubscribers) return undefined
      const startedAt = performance.now()
      return {
        onSubscribeResult({ result }) {
          publish(args, startedAt, isAsyncIterable(result) ? {} : result)
        },
      }
    },
  }
}

function describe(
  { document, operationName }: { document: Parameters<typeof rootFieldsOf>[0]; operationName?: string | null | undefined },
  startedAt: number,
  { errors }: ExecutionResult,
): ExecutedOperation {
  const { type, names } = rootFieldsOf(document, operationName)
  const [first = 'none'] = names
  return {
    type: type ?? 'none',
    field: names.every((name) => name === first) ? first : 'several',
    code: String(errors?.[0]?.extensions.code ?? 'OK'),
    ms: performance.now() - startedAt,
  }
}
