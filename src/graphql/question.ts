// What a subscription to `events` asks, told apart from where it begins: two that differ in their arguments alone ask the same
// of each event, and are given the same bytes (C1).

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

/** What a document asks of each event. `variables` are those that reach more than the arguments of the root field. */
type Plan = { readonly text: string; readonly variables: readonly string[]; readonly shared: ReadonlySet<string> }

/** A question to each event: of the same text for all who ask the same. */
export type Question = {
  readonly text: string
  /** The types of events of which all that is selected, through any fragment, is declared to be shared. */
  readonly shared: ReadonlySet<string>
}

/** The name of the subscription field whose items are facts. */
const rootField = 'events'

const plans = new WeakMap<DocumentNode, Map<string, Plan | null>>()

/** What an operation asks of each event; null for one that is no subscription to `events`, or whose variables are refused. */
export function findQuestion(
  schema: GraphQLSchema,
  document: DocumentNode,
  operationName: string | null | undefined,
  variableValues: { readonly [variable: string]: unknown },
): Question | null {
  const name = operationName ?? ''
  const known = plans.get(document) ?? new Map<string, Plan | null>()
  plans.set(document, known)
  let plan = known.get(name)
  if (plan === undefined) {
    plan = planOf(schema, document, name)
    known.set(name, plan)
  }
  if (!plan) return null
  const definitions = getOperationAST(document, operationName)?.variableDefinitions ?? []
  const { coerced } = getVariableValues(schema, definitions, variableValues)
  if (!coerced) return null
  const values = plan.variables.map((variable) => coerced[variable])
  return { text: `${plan.text}\n${JSON.stringify(values)}`, shared: plan.shared }
}

function planOf(schema: GraphQLSchema, document: DocumentNode, operationName: string): Plan | null {
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
  const asked = visit(stripped, { VariableDefinition: (node) => (used.has(node.variable.name.value) ? false : null) })
  const event = getNamedType(root.getFields()[rootField]?.type)
  const events = event && isAbstractType(event) ? schema.getPossibleTypes(event) : []
  const marks = new Marks(schema, alone)
  const shared = events.filter((type) => marks.areShared(operation.selectionSet, root, type)).map((type) => type.name)
  return { text: print(asked), variables: [...used].sort(), shared: new Set(shared) }
}

/** Looks through the selections of a document for fields that are not shared. */
class Marks {
  readonly #schema: GraphQLSchema
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>
  readonly #known = new Map<SelectionSetNode, Map<GraphQLObjectType, boolean>>()

  constructor(schema: GraphQLSchema, document: DocumentNode) {
    this.#schema = schema
    const fragments = document.definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION)
    this.#fragments = new Map(fragments.map((fragment) => [fragment.name.value, fragment]))
  }

  /**
   * Whether all that is selected of a type is shared, in any of the types that may stand below it.
   * @param event in place of the root field, the one type of event that is looked at
   */
  areShared(selections: SelectionSetNode, type: GraphQLObjectType, event?: GraphQLObjectType): boolean {
    const known = event ? undefined : this.#known.get(selections)?.get(type)
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
    if (!event) this.#known.set(selections, (this.#known.get(selections) ?? new Map()).set(type, are))
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
