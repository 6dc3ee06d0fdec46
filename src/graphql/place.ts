// Adds the place of a read to each answer: `extensions.cursor`. Clients use it to order answers and events
// (docs/adr/0019-answers-carry-their-place.md). It needs no statement, because the node knows its head.

import { isAsyncIterable, type Plugin } from '@envelop/core'
import { type ExecutionResult, getOperationAST, OperationTypeNode } from 'graphql'
import type { Place } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import type { Context } from './context.ts'

/**
 * Adds the cursor of the node's head at the start of an execution to the answers of queries and mutations. Data read from
 * Postgres after that includes every fact up to there. Snapshots bring their own, exact cursor.
 */
export function usePlaces(app: App): Plugin<Context> {
  let encoded: { readonly place: Place; readonly cursor: string } | null = null
  const cursorOf = (place: Place) => {
    if (encoded?.place !== place) encoded = { place, cursor: app.journal.cursor(place) }
    return encoded.cursor
  }
  return {
    onExecute({ args }) {
      const operation = getOperationAST(args.document, args.operationName)?.operation
      if (!args.contextValue.caller.viewer || operation === OperationTypeNode.SUBSCRIPTION) return undefined
      const place = app.journal.head()
      return {
        onExecuteDone({ result, setResult }) {
          if (isAsyncIterable(result) || !result.data || result.extensions?.cursor !== undefined) return
          setResult(withCursor(result, cursorOf(place)))
        },
      }
    },
  }
}

/** Adds the cursor of its place to an answer. */
export function withCursor(result: ExecutionResult, cursor: string): ExecutionResult {
  return { ...result, extensions: { ...result.extensions, cursor } }
}
