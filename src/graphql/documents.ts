// The one way by which documents come in, on every transport: length, tokens, size and validity are checked before anything
// else is done with a document, and what was refused is not kept. What is kept is bounded by bytes.

import {
  type ASTVisitor,
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLSchema,
  getVariableValues,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  parse,
  type Source,
  specifiedRules,
  type ValidationContext,
  validate,
  visit,
} from 'graphql'
import { LRUCache } from 'lru-cache'
import { type Cost, costMax, Estimates, evaluate } from './cost.ts'
import { documentMax, requireSize } from './measure.ts'
import { keepPlacesOnly } from './source.ts'

/** What is known of an operation of a valid document. */
export type Plan = {
  readonly operation: OperationDefinitionNode
  readonly cost: Cost
  /** How many fields the code for it would have, with fragments written out for each type; null where it is not to be compiled. */
  readonly codeSize: number | null
}

/** What parsed documents may take in memory, and what one node of a document does, roughly. */
const keptBytesMax = 16 * 1_048_576
const nodeBytes = 400
/** How many faults of a document, and of the variables of an operation, are told. */
const faultsMax = { document: 20, variables: 10 } as const

const documents = new LRUCache<string, DocumentNode>({ maxSize: keptBytesMax })
/** How many nodes a document has that was parsed and not validated yet. */
const fresh = new WeakMap<DocumentNode, { readonly text: string; readonly nodes: number }>()
/** By the name of the operation; null for one without a name. */
const plans = new WeakMap<DocumentNode, ReadonlyMap<string | null, Plan>>()

/**
 * Parses a document, or finds it among those that have come before.
 * @throws GraphQLError where it is too large, too deep, or no GraphQL
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

/** Validates a document that `parseDocument` gave. A valid one is kept. */
export function validateDocument(schema: GraphQLSchema, document: DocumentNode): readonly GraphQLError[] {
  if (plans.has(document)) return []
  const faults = validate(schema, document, [...specifiedRules, plainIntrospection], { maxErrors: faultsMax.document })
  if (faults.length > 0) return faults
  plans.set(document, plansOf(schema, document))
  const parsed = fresh.get(document)
  if (parsed) documents.set(parsed.text, document, { size: 2 * parsed.text.length + nodeBytes * parsed.nodes })
  return faults
}

/**
 * Decides whether an operation of a valid document may run with these variables.
 * @returns why not; null where it may
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
    const values = getVariableValues(schema, variableDefinitions, (variables ?? {}) as Record<string, unknown>, {
      maxErrors: faultsMax.variables,
    })
    if (values.errors) return values.errors
    coerced = values.coerced
    // graphql-js keeps the values in an object that has these names already.
    const lost = variableDefinitions.find(
      ({ variable: { name } }) => inherited.has(name.value) && !Object.hasOwn(values.coerced, name.value),
    )
    if (lost) return [new GraphQLError(`Variable "$${lost.variable.name.value}" needs a value or another name.`, { nodes: lost })]
  }
  const max = operation.operation === OperationTypeNode.SUBSCRIPTION ? costMax.event : costMax.operation
  const costs = evaluate(cost, coerced)
  if (costs <= max) return null
  const what = operation.operation === OperationTypeNode.SUBSCRIPTION ? 'An event of this subscription' : 'The operation'
  return [new GraphQLError(`${what} costs ${costs}, and the limit is ${max}. Request less at once.`)]
}

/** What is known of an operation of a valid document; null where it has no such operation, or several and none is named. */
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
 * Whether a document holds something that compiled code answers otherwise than graphql-js: a directive on a fragment that is
 * spread more than once, or a name that every object of JavaScript has (`constructor`, `__proto__`).
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
 * Refuses aliases in introspection. Without them its fields can't be multiplied: with them 5 kB of document make 80 MB of
 * answer, which no cost limit sees, since introspection has no resolvers of ours. No tool needs them.
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
