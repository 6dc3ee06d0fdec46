// Calculates the cost of an operation before it runs. A field declares its cost with `complexity`: a number, or a number with a
// multiplier for everything selected below it; both may depend on arguments. Each selection of a document is estimated once for
// each type that it may apply to. Costs that depend on variables stay functions, which each operation evaluates.

import {
  type ArgumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  getArgumentValues,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isObjectType,
  Kind,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql'

/**
 * The maximum cost of an operation, and of one event of a subscription. An operation may read 100 conversations with 30 messages each,
 * with all that a screen shows of them.
 */
export const costMax = { operation: 120_000, event: 2_500 } as const

/** The values of an operation's variables, coerced. */
export type VariableValues = Readonly<Record<string, unknown>>

/** A cost: a number if it is the same for all values of the variables. */
export type Cost = number | ((variables: VariableValues) => number)

/** The estimate of a selection. `plans`: the number of fields in compiled code, counting a field once for each possible type. */
export type Estimate = { readonly cost: Cost; readonly plans: number }

type CostWeight = { readonly field: number; readonly multiplier: number }

/** Estimates the selections of one document. */
export class Estimates {
  readonly #schema: GraphQLSchema
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>
  readonly #known = new Map<SelectionSetNode, Map<GraphQLObjectType, Estimate>>()

  constructor(schema: GraphQLSchema, fragments: ReadonlyMap<string, FragmentDefinitionNode>) {
    this.#schema = schema
    this.#fragments = fragments
  }

  /** The estimate of a selection on an object type. The document must be valid. */
  of(selectionSet: SelectionSetNode, type: GraphQLObjectType): Estimate {
    const known = this.#known.get(selectionSet)?.get(type)
    if (known) return known
    const parts = selectionSet.selections.map((selection): Estimate => {
      if (selection.kind === Kind.FIELD) return this.#field(selection, type)
      const fragment = selection.kind === Kind.FRAGMENT_SPREAD ? this.#fragments.get(selection.name.value) : selection
      const applies = fragment && this.#applies(fragment.typeCondition?.name.value, type)
      return applies ? this.of(fragment.selectionSet, type) : { cost: 0, plans: 0 }
    })
    const estimate = { cost: sum(parts.map(({ cost }) => cost)), plans: total(parts.map(({ plans }) => plans)) }
    const ofSet = this.#known.get(selectionSet) ?? new Map<GraphQLObjectType, Estimate>()
    this.#known.set(selectionSet, ofSet.set(type, estimate))
    return estimate
  }

  #field(node: FieldNode, type: GraphQLObjectType): Estimate {
    const field = type.getFields()[node.name.value]
    // Introspection runs none of our resolvers, and validation bounds it.
    if (!field) return { cost: 1, plans: 1 }
    const { selectionSet } = node
    const below = selectionSet ? this.#typesOf(field).map((each) => this.of(selectionSet, each)) : []
    const cost = weighed(field, node, greatest(below.map((each) => each.cost)))
    return { cost, plans: 1 + total(below.map(({ plans }) => plans)) }
  }

  #typesOf(field: GraphQLField<unknown, unknown>): readonly GraphQLObjectType[] {
    const named = getNamedType(field.type)
    if (isAbstractType(named)) return this.#schema.getPossibleTypes(named)
    return isObjectType(named) ? [named] : []
  }

  #applies(condition: string | undefined, type: GraphQLObjectType): boolean {
    if (condition === undefined) return true
    const named = this.#schema.getType(condition)
    if (!isCompositeType(named)) return false
    return isAbstractType(named) ? this.#schema.isSubType(named, type) : named === type
  }
}

/** The cost of a field, including everything selected below it. */
function weighed(field: GraphQLField<unknown, unknown>, node: FieldNode, below: Cost): Cost {
  const declared = field.extensions.complexity
  if (typeof declared === 'function') {
    const weigh = (variables: VariableValues) => {
      try {
        return weightOf((declared as (args: unknown) => unknown)(getArgumentValues(field, node, variables)))
      } catch {
        return weightOf(null) // an argument is invalid: the field fails before it does anything
      }
    }
    if (node.arguments?.some(hasVariable)) return (variables) => times(weigh(variables), evaluate(below, variables))
    const weight = weigh({})
    return typeof below === 'number' ? times(weight, below) : (variables) => times(weight, below(variables))
  }
  const weight = weightOf(declared)
  return typeof below === 'number' ? times(weight, below) : (variables) => times(weight, below(variables))
}

const times = ({ field, multiplier }: CostWeight, below: number) => field + multiplier * below

function weightOf(declared: unknown): CostWeight {
  if (typeof declared === 'number') return { field: declared, multiplier: 1 }
  const { field = 1, multiplier = 1 } = (declared ?? {}) as Partial<CostWeight>
  return { field, multiplier: Math.max(multiplier, 0) }
}

/** Whether the value of an argument depends on a variable. */
function hasVariable({ value }: ArgumentNode): boolean {
  const waiting: ValueNode[] = [value]
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    if (next.kind === Kind.VARIABLE) return true
    if (next.kind === Kind.LIST) waiting.push(...next.values)
    if (next.kind === Kind.OBJECT) waiting.push(...next.fields.map((field) => field.value))
  }
  return false
}

/** The cost for these values of the variables. */
export function evaluate(cost: Cost, variables: VariableValues): number {
  return typeof cost === 'number' ? cost : cost(variables)
}

const total = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0)

function sum(costs: readonly Cost[]): Cost {
  const fixed = total(costs.filter((cost) => typeof cost === 'number'))
  const open = costs.filter((cost) => typeof cost !== 'number')
  return open.length === 0 ? fixed : (variables) => open.reduce((all, cost) => all + cost(variables), fixed)
}

function greatest(costs: readonly Cost[]): Cost {
  const fixed = Math.max(0, ...costs.filter((cost) => typeof cost === 'number'))
  const open = costs.filter((cost) => typeof cost !== 'number')
  return open.length === 0 ? fixed : (variables) => Math.max(fixed, ...open.map((cost) => cost(variables)))
}
