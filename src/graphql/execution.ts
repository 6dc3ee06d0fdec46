// How operations are executed, on both transports: limits at the parser, one snapshot for operations that ask for its
// cursor, and errors in their final form.

import { isAsyncIterable, type Plugin, useEngine } from '@envelop/core'
import {
  BREAK,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  GraphQLError,
  getOperationAST,
  OperationTypeNode,
  parse,
  type SubscriptionArgs,
  subscribe as subscribeByEngine,
  type ValidationRule,
  visit,
} from 'graphql'
import type { App } from '../app.ts'
import { readHead } from '../journal/tables.ts'
import { Answers, openEvents } from './answers.ts'
import type { Broadcast } from './broadcast.ts'
import type { Context } from './context.ts'
import { execute } from './engine.ts'
import { clientError } from './errors.ts'

/** The largest document, in tokens. Deep nesting overflows the stack of a parser; no honest operation comes near. */
const tokensMax = 2_000

/**
 * Our engine, with a limit on the size of documents. Subscriptions to `events` are executed for all who ask the same.
 */
export function useOurEngine(broadcast: Broadcast): Plugin {
  const parseLimited: typeof parse = (source, options) => parse(source, { ...options, maxTokens: tokensMax })
  const subscribe = async (args: SubscriptionArgs) => {
    const opened = await openEvents(args, broadcast)
    return opened instanceof Answers ? opened.pulled() : (opened ?? subscribeByEngine(args))
  }
  return useEngine({ parse: parseLimited, execute, subscribe })
}

/**
 * Refuses aliases in introspection. Without them its fields can't be multiplied: with them 5 kB of document make 80 MB of
 * answer, which no cost limit sees, since introspection has no resolvers of ours. No tool needs them.
 */
export function usePlainIntrospection(): Plugin {
  const rule: ValidationRule = (context) => ({
    Field(node) {
      const isIntrospection = /^__(schema|type)$/.test(node.name.value) || context.getParentType()?.name.startsWith('__')
      if (node.alias && isIntrospection) context.reportError(new GraphQLError('Introspection takes no aliases', { nodes: node }))
    },
  })
  return { onValidate: ({ addValidationRule }) => addValidationRule(rule) }
}

/** Brings every error of an execution into the form that clients are told of, with the id of the request. */
export function useClientErrors(broadcast: Broadcast): Plugin<Context> {
  const told = (result: ExecutionResult, context: Context) => broadcast.told(result, context)
  return {
    onExecute: ({ args }) => ({
      onExecuteDone({ result, setResult }) {
        if (!isAsyncIterable(result)) setResult(told(result, args.contextValue))
      },
    }),
    onSubscribe: ({ args }) => ({
      onSubscribeResult({ result, setResult }) {
        if (!isAsyncIterable(result)) return setResult(told(result, args.contextValue))
        return {
          onNext(next) {
            next.setResult(told(next.result, args.contextValue))
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

/**
 * Runs an operation that selects `syncCursor` in one read-only snapshot, whose first statement is the place of the last fact
 * (D4). Where Postgres fails in it, the whole operation fails: half a snapshot is none.
 */
export function useSnapshots(app: App): Plugin<Context> {
  return {
    onExecute({ args, executeFn, setExecuteFn }) {
      const isQuery = getOperationAST(args.document, args.operationName)?.operation === OperationTypeNode.QUERY
      // Nobody needs no snapshot: the field itself refuses.
      if (!isQuery || !args.contextValue.caller.viewer || !selectsSyncCursor(args.document)) return
      setExecuteFn(async (given: ExecutionArgs) => {
        try {
          return await app.store.snapshot(async (reader) => {
            const snapshot = await readHead(reader)
            const contextValue: Context = { ...args.contextValue, reader, snapshot }
            return executeFn({ ...given, contextValue })
          })
        } catch (error) {
          return { errors: [clientError(error, args.contextValue.requestId, app.log)] }
        }
      })
    },
  }
}
