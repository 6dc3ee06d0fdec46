// Parses and validates the documents of all transports. Checks length, tokens, size and validity before anything else uses a
// document. Keeps only valid documents, up to a limit in bytes.

import {
  type ASTVisitor,
  type DocumentNode,
  type ExecutionArgs,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  parse,
  type Source,
  specifiedRules,
  type ValidationContext,
  ValuesOfCorrectTypeRule,
  validate,
  visit,
} from 'graphql'
import { LRUCache } from 'lru-cache'
import { type Cost, costMax, Estimates, evaluate } from './cost.ts'
import { documentMax, requireSize } from './measure.ts'
import { keepPlacesOnly } from './source.ts'
import { readVariables, valueFault, valuesOfCorrectType } from './values.ts'

/** The plan of an operation in a valid document. */
export type Plan = {
  readonly operation: OperationDefinitionNode
  readonly cost: Cost
  /** The number of fields in compiled code, with fragments expanded for each type; null if the operation must not be compiled. */
  readonly codeSize: number | null
}

/** The memory for parsed documents, and the approximate size of one node of a document, in bytes. */
const keptBytesMax = 16 * 1_048_576
const nodeBytes = 400
/** How many faults to report of a document. */
const faultsMax = 20

const rules = [
  ...specifiedRules.map((rule) => (rule === ValuesOfCorrectTypeRule ? valuesOfCorrectType : rule)),
  plainIntrospection,
]

const documents = new LRUCache<string, DocumentNode>({ maxSize: keptBytesMax })
/** Documents that are parsed but not yet validated, with their number of nodes. */
const fresh = new WeakMap<DocumentNode, { readonly text: string; readonly nodes: number }>()
/** By operation name; null for an anonymous operation. */
const plans = new WeakMap<DocumentNode, ReadonlyMap<string | null, Plan>>()

/**
 * Parses a document, or returns it from the cache.
 * @throws GraphQLError if it is too large, too deep, or not GraphQL
 */
export function parseDocument(source: string | Source): DocumentNode {
  const text = typeof source === 'string' ? source : source.body
  const known = documents.get(text)
  if (known) return known
  if (text.length > documentMax.bytes || Buffer.byteLength(text) > documentMax.bytes) {
    throw new GraphQLError(`The document is too large. The limit is ${documentMax.bytes} bytes.`)
  }
  const document = parse(text, { maxTokens: documentMax.tokens })
  requireSize(document)
  fresh.set(document, { text, nodes: keepPlacesOnly(document) })
  return document
}

/** Validates a document from `parseDocument`. Keeps it if it is valid. */
export function validateDocument(schema: GraphQLSchema, document: DocumentNode): readonly GraphQLError[] {
  if (plans.has(document)) return []
  const faults = validate(schema, document, rules, { maxErrors: faultsMax })
  if (faults.length > 0) return faults
  plans.set(document, plansOf(schema, document))
  const parsed = fresh.get(document)
  if (parsed) documents.set(parsed.text, document, { size: 2 * parsed.text.length + nodeBytes * parsed.nodes })
  return faults
}

/**
 * Decides whether an operation of a valid document may run with these variables.
 * @returns the errors; null if it may run
 */
export function refusalsOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  operationName: string | null | undefined,
  variables: unknown,
): readonly GraphQLError[] | null {
  const plan = findPlan(document, operationName)
  if (!plan)
    return [
      new GraphQLError(
        operationName == null
          ? 'Set operationName to choose the operation to run.'
          : 'The document has no operation with this name.',
      ),
    ]
  const { operation, cost } = plan
  const { variableDefinitions = [] } = operation
  let coerced: Readonly<Record<string, unknown>> = {}
  if (variableDefinitions.length > 0) {
    if (typeof (variables ?? {}) !== 'object' || Array.isArray(variables)) {
      return [new GraphQLError('Variables must be an object.')]
    }
    const values = readVariables(schema, variableDefinitions, (variables ?? {}) as Record<string, unknown>)
    if ('errors' in values) return values.errors
    coerced = values.coerced
    // graphql-js keeps the values in an object that inherits these names.
    const lost = variableDefinitions.find(
      ({ variable: { name } }) => inherited.has(name.value) && !Object.hasOwn(values.coerced, name.value),
    )
    if (lost) {
      const { value: name } = lost.variable.name
      return [valueFault(new GraphQLError(`Variable "$${name}" needs a value or another name.`, { nodes: lost }), name)]
    }
  }
  const max = operation.operation === OperationTypeNode.SUBSCRIPTION ? costMax.event : costMax.operation
  const costs = evaluate(cost, coerced)
  if (costs <= max) return null
  const what = operation.operation === OperationTypeNode.SUBSCRIPTION ? 'An event of this subscription' : 'The operation'
  return [new GraphQLError(`${what} costs ${costs}, and the limit is ${max}. Request less at once.`)]
}

/** The cost of an operation, even if it is refused for its cost. Null if there is no such operation. */
export function costOf({ schema, document, operationName, variableValues }: ExecutionArgs): number | null {
  const plan = findPlan(document, operationName)
  if (!plan) return null
  if (typeof plan.cost === 'number') return plan.cost
  const values = readVariables(schema, plan.operation.variableDefinitions ?? [], variableValues ?? {})
  return 'errors' in values ? null : evaluate(plan.cost, values.coerced)
}

/** The plan of an operation in a valid document; null if there is no such operation, or several without a name to choose by. */
export function findPlan(document: DocumentNode, operationName: string | null | undefined): Plan | null {
  const known = plans.get(document)
  if (operationName != null) return known?.get(operationName) ?? null
  const [only, other] = known?.values() ?? []
  return other ? null : (only ?? null)
}

function plansOf(schema: GraphQLSchema, document: DocumentNode): Map<string | null, Plan> {
  const operations = document.definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
  const fragments = document.definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION)
  const estimates = new Estimates(schema, new Map<string, FragmentDefinitionNode>(fragments.map((f) => [f.name.value, f])))
  const isPlain = operations.length === 1 && !hasPitfalls(document)
  return new Map(
    operations.flatMap((operation): [string | null, Plan][] => {
      const root = schema.getRootType(operation.operation)
      if (!root) return []
      const { cost, plans: codeSize } = estimates.of(operation.selectionSet, root)
      return [[operation.name?.value ?? null, { operation, cost, codeSize: isPlain ? codeSize : null }]]
    }),
  )
}

const inherited: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(Object.prototype))

/**
 * Whether a document contains anything for which compiled code may answer differently from graphql-js: a directive on a fragment
 * that is spread more than once, or a name that every JavaScript object has (`constructor`, `__proto__`).
 */
function hasPitfalls(document: DocumentNode): boolean {
  let found = false
  const visitor: ASTVisitor = {
    Name({ value }) {
      if (inherited.has(value) || (value.startsWith('__') && value !== '__typename')) found = true
    },
    Directive() {
      found = true
    },
  }
  visit(document, visitor)
  return found
}

/**
 * Refuses aliases in introspection, which would multiply its fields: 5 kB of document could produce an answer of 80 MB. Cost
 * limits don't cover that, since introspection runs none of our resolvers. No tool needs these aliases.
 */
function plainIntrospection(context: ValidationContext): ASTVisitor {
  return {
    Field(node) {
      const isIntrospection = /^__(schema|type)$/.test(node.name.value) || context.getParentType()?.name.startsWith('__')
      if (node.alias && isIntrospection)
        context.reportError(new GraphQLError('Introspection must not use aliases.', { nodes: node }))
    },
  }
}
