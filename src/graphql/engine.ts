// The engine that executes operations: graphql-js, and for documents that come again and again graphql-jit, which compiles
// them. Both give the same answers: test/engine.test.ts compares them.

import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  GraphQLError,
  getOperationAST,
  execute as interpret,
  Kind,
} from 'graphql'
import { type CompiledQuery, compileQuery, isCompiledQuery } from 'graphql-jit'
import { LRUCache } from 'lru-cache'
import { andThen, type MaybePromise } from './loader.ts'

/** A document is compiled when it has come so often: compiling costs what some executions do. */
const compileAt = 10
const compiledMax = 500

/** How often a document has come, or what it was compiled to; null for one that is not compiled. */
const known = new WeakMap<DocumentNode, number | null>()
const compiled = new LRUCache<DocumentNode, CompiledQuery>({ max: compiledMax })

/** Executes an operation, as `execute` of graphql-js does. */
export function execute(args: ExecutionArgs): MaybePromise<ExecutionResult> {
  const query = compiled.get(args.document) ?? compile(args)
  if (!query || !getOperationAST(args.document, args.operationName)) return interpret(args) as MaybePromise<ExecutionResult>
  const result = query.query(args.rootValue, args.contextValue, args.variableValues ?? {})
  return andThen(result as MaybePromise<ExecutionResult>, (done) => {
    if (!done.errors) return done
    // Nothing ran, since a variable is wrong: graphql-js says it in the words that people know.
    return done.data === undefined ? (interpret(args) as MaybePromise<ExecutionResult>) : nativeErrors(done, args.document)
  })
}

function compile({ schema, document }: ExecutionArgs): CompiledQuery | null {
  const count = known.get(document) ?? (known.has(document) ? null : 0)
  if (count === null) return null
  known.set(document, count + 1)
  if (count + 1 < compileAt) return null
  // Which of several operations is meant is said anew each time: such documents are interpreted.
  const isSingle = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION).length === 1
  const made = isSingle ? compileQuery(schema, document, undefined, { disablingCapturingStackErrors: true }) : null
  if (made && isCompiledQuery(made)) {
    compiled.set(document, made as CompiledQuery)
    return made as CompiledQuery
  }
  known.set(document, null)
  return null
}

/** The errors of graphql-jit in the form of those of graphql-js. It knows their lines and columns, and not their nodes. */
function nativeErrors(result: ExecutionResult, { loc }: DocumentNode): ExecutionResult {
  const errors = result.errors?.map(({ message, path, originalError, locations = [] }) => {
    const positions = loc ? locations.map((location) => offsetOf(loc.source.body, location)) : null
    const source = loc?.source ?? null
    return new GraphQLError(message, { path: path ?? null, originalError: originalError ?? null, source, positions })
  })
  return errors ? { ...result, errors } : result
}

/** Where a line and column of a text are. Lines end as the specification of GraphQL says (2.1.3). */
function offsetOf(text: string, { line, column }: { readonly line: number; readonly column: number }): number {
  const ends = [...text.matchAll(/\r\n|[\n\r]/g)].map((end) => end.index + end[0].length)
  return (line < 2 ? 0 : (ends[line - 2] ?? 0)) + column - 1
}
