// Executes operations: with graphql-js, or, for documents that come often, with graphql-jit, which compiles them. Both give the
// same answers: test/graphql/engine.long.test.ts compares them.

import { type DocumentNode, type ExecutionArgs, type ExecutionResult, GraphQLError, execute as interpret } from 'graphql'
import { type CompiledQuery, compileQuery, isCompiledQuery } from 'graphql-jit'
import { LRUCache } from 'lru-cache'
import { findPlan } from './documents.ts'
import { type MaybePromise, mapMaybePromise } from './loader.ts'

/** How often a document comes before it is compiled. Compiling costs as much as several executions. */
const compileAt = 10
/** The most fields to compile, with fragments expanded for each type. Larger documents are interpreted. */
const codeSizeMax = 1_000
/** The memory for compiled documents, and the approximate size of one field's code, in bytes. */
const compiledBytesMax = 32 * 1_048_576
const fieldBytes = 4_096

/** How often a document has come; null if it must not be compiled. */
const known = new WeakMap<DocumentNode, number | null>()
const compiled = new LRUCache<DocumentNode, CompiledQuery>({ maxSize: compiledBytesMax })

/** Whether a document is compiled now. */
export function isCompiled(document: DocumentNode): boolean {
  return compiled.has(document)
}

/** Executes an admitted operation, as `execute` of graphql-js does. */
export function execute(args: ExecutionArgs): MaybePromise<ExecutionResult> {
  const query = compiled.get(args.document) ?? compile(args)
  if (!query) return interpret(args) as MaybePromise<ExecutionResult>
  const result = query.query(args.rootValue, args.contextValue, args.variableValues ?? {})
  return mapMaybePromise(result as MaybePromise<ExecutionResult>, (done) => {
    if (!done.errors) return done
    // Nothing ran, because a variable is invalid: let graphql-js produce its familiar error messages.
    return done.data === undefined ? (interpret(args) as MaybePromise<ExecutionResult>) : nativeErrors(done, args.document)
  })
}

function compile({ schema, document, operationName }: ExecutionArgs): CompiledQuery | null {
  const count = known.get(document) ?? (known.has(document) ? null : 0)
  if (count === null) return null
  known.set(document, count + 1)
  if (count + 1 < compileAt) return null
  const codeSize = findPlan(document, operationName)?.codeSize ?? null
  const made =
    codeSize !== null && codeSize <= codeSizeMax
      ? compileQuery(schema, document, undefined, { disablingCapturingStackErrors: true })
      : null
  if (made && isCompiledQuery(made)) {
    compiled.set(document, made as CompiledQuery, { size: fieldBytes * (codeSize ?? 1) })
    return made as CompiledQuery
  }
  known.set(document, null)
  return null
}

/** Converts errors of graphql-jit, which have lines and columns instead of nodes, to the form of graphql-js. */
function nativeErrors(result: ExecutionResult, { loc }: DocumentNode): ExecutionResult {
  const errors = result.errors?.map(({ message, path, originalError, locations = [] }) => {
    // A document has a single line, whose columns are the numbers of its nodes (source.ts).
    const positions = locations.map(({ column }) => column - 1)
    return new GraphQLError(message, {
      path: path ?? null,
      originalError: originalError ?? null,
      source: loc?.source ?? null,
      positions,
    })
  })
  return errors ? { ...result, errors } : result
}
