// What the server does, as channels of node:diagnostics_channel like those in src/journal/steps.ts: for metrics and tracing. They
// carry names of the schema, codes and numbers, never what clients wrote.

import { type Channel, channel, subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Plugin } from '@envelop/core'
import { isAsyncIterable } from '@envelop/core'
import type { DocumentNode, ExecutionResult } from 'graphql'
import { rootFieldsOf } from '../graphql/root-fields.ts'

/** A query or mutation that was executed, or a subscription that was opened. */
export type ExecutedOperation = {
  readonly type: string
  /** See `rootFieldOf`. */
  readonly field: string
  /** See `codeOf`. */
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

/** Calls `listener` with each message of a channel. @returns a function that ends it */
export function hear<Message>({ name }: Channel, listener: (message: Message) => void): () => void {
  const heard = (message: unknown) => listener(message as Message)
  subscribe(name, heard)
  return () => void unsubscribe(name, heard)
}

/** The type of a valid operation, and its root field; `several` if it has different ones. */
export function rootFieldOf({ document, operationName }: Given): { type: string; field: string } {
  const { type, names } = rootFieldsOf(document, operationName)
  const [first = 'none'] = names
  return { type: type ?? 'none', field: names.every((name) => name === first) ? first : 'several' }
}

/** The code of the first error of an answer; OK if it has none. */
export const codeOf = ({ errors }: ExecutionResult) => String(errors?.[0]?.extensions.code ?? 'OK')

/** Publishes an operation that began at this time (`performance.now`). `result` is its answer; an empty one for an open stream. */
export function publishExecuted(operation: Given, startedAt: number, result: ExecutionResult): void {
  if (!serverSteps.operationExecuted.hasSubscribers) return
  const ms = performance.now() - startedAt
  const executed: ExecutedOperation = { ...rootFieldOf(operation), code: codeOf(result), ms }
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
