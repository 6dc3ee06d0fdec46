// Executes operations: the schema of the server, with the resolvers of the test server. What has no resolver is refused, never guessed.

import {
  buildSchema,
  coerceInputValue,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  GraphQLError,
  GraphQLScalarType,
  type GraphQLSchema,
  getOperationAST,
  isInputType,
  isInterfaceType,
  isObjectType,
  type OperationDefinitionNode,
  parse,
  subscribe,
  TypeInfo,
  typeFromAST,
  validate,
  visit,
  visitWithTypeInfo,
} from 'graphql'
import { schemaText } from '../generated/schema-text.ts'
import { lacks, refuse } from './refusal.ts'
import type { TestContext, TestFields } from './test-context.ts'

/** An operation as it comes over the wire. */
export type TestRequest = {
  readonly query: string
  readonly variables?: { readonly [name: string]: unknown } | null
  readonly operationName?: string | null
}

/** An operation that may run, or the answer that refuses it. */
export type PreparedOperation =
  | { readonly kind: OperationDefinitionNode['operation']; readonly document: DocumentNode; readonly request: TestRequest }
  | { readonly kind: 'REFUSED'; readonly errors: readonly GraphQLError[] }

/** The resolvers of the test server, by type and field. */
export type TestResolvers = {
  readonly types: { readonly [type: string]: TestFields }
  /** What the fields of `Subscription` stream. */
  readonly streams: TestFields
  /** The name of the type of an object, for interfaces. */
  typeNameOf(value: unknown): string
}

/** Executes operations. */
export class TestEngine {
  readonly schema: GraphQLSchema
  readonly #resolvers: TestResolvers

  constructor(resolvers: TestResolvers) {
    const { types, streams, typeNameOf } = resolvers
    this.#resolvers = resolvers
    this.schema = buildSchema(schemaText, { assumeValidSDL: true })
    addScalars(this.schema)
    for (const type of Object.values(this.schema.getTypeMap())) {
      if (isInterfaceType(type)) type.resolveType = typeNameOf
      if (!isObjectType(type) || type.name.startsWith('__')) continue
      for (const field of Object.values(type.getFields())) {
        const name = `${type.name}.${field.name}`
        const own = types[type.name]
        if (type.name === 'Subscription') {
          field.subscribe =
            streams[field.name] ??
            (() => {
              throw lacks(name)
            })
          field.resolve = (event: unknown) => event
        } else field.resolve = own ? (own[field.name] ?? lacking(name)) : orLacking(field.name, name)
      }
    }
  }

  /** Parses and checks an operation. */
  prepare(request: TestRequest): PreparedOperation {
    try {
      const document = parse(request.query)
      const [fault] = validate(this.schema, document)
      const operation = getOperationAST(document, request.operationName ?? null)
      if (fault) return refused(refuse('OPERATION_REFUSED', fault.message))
      if (!operation) return refused(refuse('OPERATION_REFUSED', 'Name one of the operations of the document.'))
      // An event that cannot be shown would come again and again.
      const lacked = operation.operation === 'subscription' ? this.#lackedBy(document) : null
      const invalid = lacked ?? this.#faultOf(operation, request.variables ?? {})
      return invalid ? refused(invalid) : { kind: operation.operation, document, request }
    } catch (error) {
      return refused(refuse('OPERATION_REFUSED', error instanceof Error ? error.message : String(error)))
    }
  }

  /** Runs a query or a mutation. All of it happens at once. */
  execute(operation: PreparedOperation, context: TestContext): ExecutionResult {
    if (operation.kind === 'REFUSED') return { errors: operation.errors.map(told) }
    const result = execute(this.#argsOf(operation, context))
    if (result instanceof Promise) throw new Error('a resolver of the test server is asynchronous')
    context.world.journal.announce()
    const answer = result as ExecutionResult
    const extensions = context.session ? { extensions: { cursor: context.world.journal.cursor() } } : {}
    return { ...toldResult(answer), ...extensions }
  }

  /** Runs a subscription. */
  async subscribe(
    operation: PreparedOperation,
    context: TestContext,
  ): Promise<ExecutionResult | AsyncIterableIterator<ExecutionResult>> {
    if (operation.kind === 'REFUSED') return { errors: operation.errors.map(told) }
    const result = await subscribe(this.#argsOf(operation, context))
    return Symbol.asyncIterator in result ? (result as AsyncIterableIterator<ExecutionResult>) : toldResult(result)
  }

  #argsOf({ document, request }: Exclude<PreparedOperation, { kind: 'REFUSED' }>, context: TestContext): ExecutionArgs {
    const { variables, operationName } = request
    return {
      schema: this.schema,
      document,
      contextValue: context,
      variableValues: variables ?? {},
      operationName: operationName ?? null,
    }
  }

  /** The refusal of the first field of a document that the test server does not have. */
  #lackedBy(document: DocumentNode): GraphQLError | null {
    const info = new TypeInfo(this.schema)
    let lacked: GraphQLError | null = null
    const Field = () => {
      const [type, field] = [info.getParentType()?.name ?? '', info.getFieldDef()?.name ?? '']
      const own = type === 'Subscription' ? this.#resolvers.streams : this.#resolvers.types[type]
      if (own && !own[field] && !field.startsWith('__')) lacked ??= lacks(`${type}.${field}`)
    }
    visit(document, visitWithTypeInfo(info, { Field }))
    return lacked
  }

  /** The refusal of the first invalid variable, with the path of what is wrong in it. */
  #faultOf({ variableDefinitions = [] }: OperationDefinitionNode, variables: { readonly [name: string]: unknown }) {
    for (const { variable, type: node, defaultValue } of variableDefinitions) {
      const name = variable.name.value
      const type = typeFromAST(this.schema, node)
      if (!isInputType(type) || (!(name in variables) && (defaultValue || node.kind !== 'NonNullType'))) continue
      let fault: GraphQLError | undefined
      coerceInputValue(variables[name] ?? null, type, (path, _value, { message }) => {
        const argument = [name, ...path].join('.')
        fault ??= refuse('BAD_INPUT', `Variable "$${name}" got an invalid value at ${argument}: ${message}`, argument)
      })
      if (fault) return fault
    }
    return null
  }
}

const refused = (error: GraphQLError): PreparedOperation => ({ kind: 'REFUSED', errors: [error] })

const lacking = (name: string) => () => {
  throw lacks(name)
}

/** The property of an answer, or of a page. */
const orLacking = (field: string, name: string) => (source: { readonly [field: string]: unknown }) => {
  const value = source[field]
  if (value === undefined) throw lacks(name)
  return value
}

/** An error as clients get it. One without a code is a fault of the test server: it says what. */
function told(error: GraphQLError): GraphQLError {
  const { code = 'INTERNAL', retryable = false } =
    error.originalError instanceof GraphQLError ? error.originalError.extensions : error.extensions
  const extensions = { ...error.extensions, code, retryable }
  return new GraphQLError(error.message, { nodes: error.nodes ?? null, path: error.path ?? null, extensions })
}

/** An answer with its errors as clients get them. */
export function toldResult(result: ExecutionResult): ExecutionResult {
  return result.errors ? { ...result, errors: result.errors.map(told) } : result
}

function addScalars(schema: GraphQLSchema): void {
  const dateTime = schema.getType('DateTime')
  if (!(dateTime instanceof GraphQLScalarType)) throw new Error('the schema has no DateTime')
  const read = (value: unknown) => {
    const date = typeof value === 'string' && /^\d{4}-\d\d-\d\d[Tt]/.test(value) ? new Date(value) : null
    if (!date || Number.isNaN(date.getTime())) throw new GraphQLError(`DateTime cannot represent ${JSON.stringify(value)}`)
    return date
  }
  dateTime.serialize = (value) => (value instanceof Date ? value.toISOString() : value)
  dateTime.parseValue = read
  dateTime.parseLiteral = (node) => read('value' in node ? node.value : null)
}
