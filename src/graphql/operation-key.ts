// The operation key of a subscription to `events`: its selection from each event, without its starting point. Subscriptions that
// differ only in the arguments of the root field have the same key and receive the same bytes (C1).

import {
  type DocumentNode,
  type FragmentDefinitionNode,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  getOperationAST,
  getVariableValues,
  isAbstractType,
  isCompositeType,
  isObjectType,
  Kind,
  type NamedTypeNode,
  print,
  type SelectionSetNode,
  separateOperations,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql'
import { costMax, evaluate } from './cost.ts'
import { findPlan } from './documents.ts'

/** A document's selection from each event. `variables` are those used outside the arguments of the root field. */
type KeyPlan = { readonly text: string; readonly variables: readonly string[]; readonly shared: ReadonlySet<string> }

/** An operation's selection from each event. Two keys are equal if their texts are equal. */
export type OperationKey = {
  readonly text: string
  /** The event types whose selected fields, through any fragment, are all declared as shared. */
  readonly shared: ReadonlySet<string>
  /** The cost of an event. */
  readonly cost: number
}

/** The name of the subscription field whose items are facts. */
const rootField = 'events'

const keyPlans = new WeakMap<DocumentNode, Map<string, KeyPlan | null>>()

/** The key of an operation; null if it is not a subscription to `events`, or its variables are refused. */
export function findOperationKey(
  schema: GraphQLSchema,
  document: DocumentNode,
  operationName: string | null | undefined,
  variableValues: { readonly [variable: string]: unknown },
): OperationKey | null {
  const name = operationName ?? ''
  const known = keyPlans.get(document) ?? new Map<string, KeyPlan | null>()
  keyPlans.set(document, known)
  let plan = known.get(name)
  if (plan === undefined) {
    plan = keyPlanOf(schema, document, name)
    known.set(name, plan)
  }
  if (!plan) return null
  const definitions = getOperationAST(document, operationName)?.variableDefinitions ?? []
  const { coerced } = getVariableValues(schema, definitions, variableValues, { maxErrors: 1 })
  if (!coerced) return null
  const values = plan.variables.map((variable) => coerced[variable])
  const cost = evaluate(findPlan(document, operationName)?.cost ?? costMax.event, coerced)
  return { text: `${plan.text}\n${JSON.stringify(values)}`, shared: plan.shared, cost }
}

function keyPlanOf(schema: GraphQLSchema, document: DocumentNode, operationName: string): KeyPlan | null {
  const name = getOperationAST(document, operationName || undefined)?.name?.value ?? ''
  const alone = separateOperations(document)[name]
  const operation = alone && getOperationAST(alone)
  const root = schema.getSubscriptionType()
  if (!alone || !root || operation?.operation !== 'subscription') return null

  let isOfEvents = true
  const types = new TypeInfo(schema)
  const stripped = visit(
    alone,
    visitWithTypeInfo(types, {
      Field(node) {
        if (types.getParentType() !== root) return undefined
        if (node.name.value !== rootField) isOfEvents = false
        return { ...node, arguments: [] }
      },
    }),
  )
  if (!isOfEvents) return null

  const used = new Set<string>()
  visit(stripped, { VariableDefinition: () => false, Variable: (node) => void used.add(node.name.value) })
  const selected = visit(stripped, { VariableDefinition: (node) => (used.has(node.variable.name.value) ? false : null) })
  const event = getNamedType(root.getFields()[rootField]?.type)
  const events = event && isAbstractType(event) ? schema.getPossibleTypes(event) : []
  const sharedSelections = new SharedSelections(schema, alone)
  const shared = events.filter((type) => sharedSelections.areShared(operation.selectionSet, root, type)).map((type) => type.name)
  return { text: print(selected), variables: [...used].sort(), shared: new Set(shared) }
}

/** Searches the selections of a document for fields that are not shared. */
class SharedSelections {
  readonly #schema: GraphQLSchema
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>
  /** By the type that is checked: for the root field, the event type. */
  readonly #known = {
    fields: new Map<SelectionSetNode, Map<GraphQLObjectType, boolean>>(),
    events: new Map<SelectionSetNode, Map<GraphQLObjectType, boolean>>(),
  }

  constructor(schema: GraphQLSchema, document: DocumentNode) {
    this.#schema = schema
    const fragments = document.definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION)
    this.#fragments = new Map(fragments.map((fragment) => [fragment.name.value, fragment]))
  }

  /**
   * Whether all fields selected on a type are shared, for every possible type below it.
   * @param event at the root, the event type to check
   */
  areShared(selections: SelectionSetNode, type: GraphQLObjectType, event?: GraphQLObjectType): boolean {
    const memory = event ? this.#known.events : this.#known.fields
    const known = memory.get(selections)?.get(event ?? type)
    if (known !== undefined) return known
    const are = selections.selections.every((selection) => {
      if (selection.kind === Kind.FIELD) {
        if (selection.name.value === '__typename') return true
        const field = type.getFields()[selection.name.value]
        if (!field || !(event || isShared(field))) return false
        const { selectionSet } = selection
        return !selectionSet || (event ? [event] : this.#typesOf(field.type)).every((of) => this.areShared(selectionSet, of))
      }
      const fragment = selection.kind === Kind.FRAGMENT_SPREAD ? this.#fragments.get(selection.name.value) : selection
      if (!fragment) return false
      return !this.#applies(fragment.typeCondition, type) || this.areShared(fragment.selectionSet, type, event)
    })
    memory.set(selections, (memory.get(selections) ?? new Map<GraphQLObjectType, boolean>()).set(event ?? type, are))
    return are
  }

  #typesOf(type: Parameters<typeof getNamedType>[0]): readonly GraphQLObjectType[] {
    const named = getNamedType(type)
    if (named && isAbstractType(named)) return this.#schema.getPossibleTypes(named)
    return isObjectType(named) ? [named] : []
  }

  #applies(condition: NamedTypeNode | undefined, type: GraphQLObjectType): boolean {
    if (!condition) return true
    const named = this.#schema.getType(condition.name.value)
    if (!isCompositeType(named)) return false
    return isAbstractType(named) ? this.#schema.isSubType(named, type) : named === type
  }
}

/** Whether a field is declared with `shared: true`. */
export function isShared(field: { readonly extensions: Readonly<Record<string, unknown>> }): boolean {
  return field.extensions.shared === true
}
