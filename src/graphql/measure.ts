// Measures the size of a document before anything else uses it. Walks each selection set once: a fragment is measured once and
// counted each time it is spread, so a small document cannot hide a large one.

import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql'

/** The limits of an operation, counting a fragment each time it is spread. */
export const sizeMax = {
  depth: 15,
  fields: 600,
  /** Fields, fragment spreads and inline fragments. */
  selections: 1_000,
  aliases: 200,
  directives: 100,
  variables: 100,
  /** Pairs of fields with the same response name, and of fragments, in merged selection sets: validation compares each pair. */
  pairs: 2_000,
} as const

/** The limits of a document. */
export const documentMax = { bytes: 32_768, tokens: 2_000, operations: 20, fragments: 100, aliasLength: 100 } as const

type Count = { depth: number; fields: number; selections: number; aliases: number; directives: number }

const refuse = (what: string, max: number) => new GraphQLError(`The document is too large. The limit is ${max} ${what}.`)

/**
 * Refuses a document that exceeds the limits or whose fragments are cyclic. Unknown fragments don't count: validation refuses
 * them.
 * @throws GraphQLError naming the exceeded limit
 */
export function requireSize(document: DocumentNode): void {
  const operations: OperationDefinitionNode[] = []
  const fragments = new Map<string, FragmentDefinitionNode>()
  let fragmentCount = 0
  for (const definition of document.definitions) {
    if (definition.kind === Kind.OPERATION_DEFINITION) operations.push(definition)
    if (definition.kind !== Kind.FRAGMENT_DEFINITION) continue
    fragmentCount += 1
    fragments.set(definition.name.value, definition)
  }
  if (operations.length > documentMax.operations) throw refuse('operations', documentMax.operations)
  if (fragmentCount > documentMax.fragments) throw refuse('fragments', documentMax.fragments)
  const counts = new Counts(fragments)
  for (const { selectionSet, directives = [], variableDefinitions = [] } of operations) {
    const count = counts.of(selectionSet)
    const all = directives.length + count.directives
    const inDefinitions = variableDefinitions.reduce((sum, definition) => sum + (definition.directives?.length ?? 0), 0)
    if (count.depth > sizeMax.depth) throw refuse('levels of fields', sizeMax.depth)
    if (count.fields > sizeMax.fields) throw refuse('fields, counting a fragment each time it is spread', sizeMax.fields)
    if (count.selections > sizeMax.selections)
      throw refuse('selections, counting a fragment each time it is spread', sizeMax.selections)
    if (count.aliases > sizeMax.aliases) throw refuse('aliases', sizeMax.aliases)
    if (all + inDefinitions > sizeMax.directives) throw refuse('directives', sizeMax.directives)
    if (variableDefinitions.length > sizeMax.variables) throw refuse('variables', sizeMax.variables)
    // This expands fragments, so it comes after the limits above.
    if (pairsIn([selectionSet], fragments) > sizeMax.pairs) throw tooManyPairs()
  }
  // Validation refuses fragments that no operation spreads, but it walks them first.
  for (const { selectionSet } of fragments.values()) {
    const { selections, depth } = counts.of(selectionSet)
    if (depth > sizeMax.depth) throw refuse('levels of fields', sizeMax.depth)
    if (selections > sizeMax.selections)
      throw refuse('selections, counting a fragment each time it is spread', sizeMax.selections)
    if (pairsIn([selectionSet], fragments) > sizeMax.pairs) throw tooManyPairs()
  }
}

const tooManyPairs = () =>
  new GraphQLError('The document selects the same fields side by side too often. Select each of them once.')

const nothing: Readonly<Count> = { depth: 0, fields: 0, selections: 0, aliases: 0, directives: 0 }

class Counts {
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>
  /** Null while it is being counted. */
  readonly #known = new Map<SelectionSetNode, Readonly<Count> | null>()

  constructor(fragments: ReadonlyMap<string, FragmentDefinitionNode>) {
    this.#fragments = fragments
  }

  of(selectionSet: SelectionSetNode): Readonly<Count> {
    const known = this.#known.get(selectionSet)
    if (known === null) throw new GraphQLError('A fragment must not spread itself.')
    if (known) return known
    this.#known.set(selectionSet, null)
    const sum: Count = { ...nothing }
    for (const selection of selectionSet.selections) {
      const isField = selection.kind === Kind.FIELD
      const below = selection.kind === Kind.FRAGMENT_SPREAD ? this.#fragments.get(selection.name.value) : selection
      const count = below?.selectionSet ? this.of(below.selectionSet) : nothing
      sum.depth = Math.max(sum.depth, count.depth + (isField ? 1 : 0))
      sum.fields += count.fields + (isField ? 1 : 0)
      sum.selections += count.selections + 1
      sum.aliases += count.aliases + (isField && selection.alias ? 1 : 0)
      sum.directives += count.directives + (selection.directives?.length ?? 0)
      if (isField && (selection.alias?.value.length ?? 0) > documentMax.aliasLength) {
        throw new GraphQLError(`An alias can have at most ${documentMax.aliasLength} characters.`, { nodes: selection })
      }
    }
    this.#known.set(selectionSet, sum)
    return sum
  }
}

/** Counts the pairs of selections in merged selection sets, and in everything below them. */
function pairsIn(sets: readonly SelectionSetNode[], fragments: ReadonlyMap<string, FragmentDefinitionNode>): number {
  const fields = new Map<string, FieldNode[]>()
  const spread = new Set<string>()
  const waiting = [...sets]
  for (let set = waiting.pop(); set; set = waiting.pop()) {
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) {
        const name = selection.alias?.value ?? selection.name.value
        const alike = fields.get(name)
        if (alike) alike.push(selection)
        else fields.set(name, [selection])
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        waiting.push(selection.selectionSet)
      } else if (!spread.has(selection.name.value)) {
        spread.add(selection.name.value)
        const fragment = fragments.get(selection.name.value)
        if (fragment) waiting.push(fragment.selectionSet)
      }
    }
  }
  let pairs = pairsOf(spread.size)
  for (const alike of fields.values()) {
    const below = alike.flatMap(({ selectionSet }) => selectionSet ?? [])
    pairs += pairsOf(alike.length)
    if (below.length > 0) pairs += pairsIn(below, fragments)
    if (pairs > sizeMax.pairs) break
  }
  return pairs
}

const pairsOf = (count: number) => (count * (count - 1)) / 2
