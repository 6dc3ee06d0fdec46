// Puts the place of a read beside each answer: `extensions.cursor`. Clients use it to order answers and events
// (docs/adr/0019-answers-carry-their-place.md). It costs no statement: the node knows its head.

import { isAsyncIterable, type Plugin } from '@envelop/core'
import { type ExecutionResult, getOperationAST, OperationTypeNode } from 'graphql'
import type { Place } from '../journal/fact.ts'
import type { App } from '../parts.ts'
import type { Context } from './context.ts'

/**
 * Adds the cursor of the node's head at the start of an execution to the answers of queries and mutations. What Postgres shows
 * afterwards includes every fact up to there. Snapshots bring their own, exact cursor.
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

/** An answer with the cursor of its place. */
export function withCursor(result: ExecutionResult, cursor: string): ExecutionResult {
  return { ...result, extensions: { ...result.extensions, cursor } }
}
