// Writes the fields of an event to the cache of Apollo Client, with the selections of the followed document.

import type { ApolloCache, DocumentNode } from '@apollo/client'
import type { Fields, News } from './news.ts'
import type { EventData } from './patch.ts'

type Definition = DocumentNode['definitions'][number]
type OperationDefinition = Extract<Definition, { readonly kind: 'OperationDefinition' }>
type Fragment = Extract<Definition, { readonly kind: 'FragmentDefinition' }>
type Selection = OperationDefinition['selectionSet']['selections'][number]
/** The values of a field of a cached object before a write, by store field name, to restore them after it. */
type PreviousValues = { readonly id: string; readonly field: string; readonly values: ReadonlyMap<string, unknown> }

/** The cache id of the root object of subscriptions. */
const rootId = 'ROOT_SUBSCRIPTION'

/**
 * Writes an event to a cache. It keeps lists and objects that an answer read at the event's place or later.
 * @param document a subscription to `events`, or a fragment on `Message`
 * @throws TypeError if the document is neither
 */
export function writeEvent(
  cache: ApolloCache,
  event: EventData,
  document: DocumentNode,
  fragmentName: string | undefined,
  news: News | undefined,
): void {
  const held = news ? [...newer(cache, event, event, news)] : []
  const operation = document.definitions.find((each): each is OperationDefinition => each.kind === 'OperationDefinition')
  if (operation) {
    const [root] = operation.selectionSet.selections
    const field = root?.kind === 'Field' ? (root.alias ?? root.name).value : 'events'
    const query = cache.transformDocument(narrowed(document, event.__typename))
    cache.write({ query, dataId: rootId, variables: {}, result: { [field]: event } })
    cache.modify({ id: rootId, fields: (_value, { DELETE }) => DELETE })
  } else if (event.message) {
    cache.writeFragment({ fragment: document, fragmentName: fragmentName ?? nameOf(document), data: event.message as Fields })
  }
  for (const { id, field, values } of held) {
    cache.modify({ id, fields: { [field]: (value: unknown, { storeFieldName }) => values.get(storeFieldName) ?? value } })
  }
}

const narrowedTo = new WeakMap<DocumentNode, Map<string, DocumentNode>>()

/** A subscription without its selections on other event types: a cache without `possibleTypes` cannot skip them itself. */
function narrowed(document: DocumentNode, typename: string): DocumentNode {
  const known = narrowedTo.get(document) ?? new Map<string, DocumentNode>()
  narrowedTo.set(document, known)
  const before = known.get(typename)
  if (before) return before
  const fragments = new Map(
    document.definitions.flatMap((each) => (each.kind === 'FragmentDefinition' ? [[each.name.value, each]] : [])),
  )
  const fits = (each: Selection) => {
    const type = each.kind === 'FragmentSpread' ? fragments.get(each.name.value)?.typeCondition : undefined
    const on = each.kind === 'InlineFragment' ? each.typeCondition : type
    return on === undefined || on.name.value === typename || on.name.value === 'Event'
  }
  const only = (selections: readonly Selection[], isRoot: boolean): Selection[] =>
    selections.filter(fits).map((each) => {
      if (!('selectionSet' in each) || !each.selectionSet || !isRoot) return each
      return {
        ...each,
        selectionSet: { ...each.selectionSet, selections: only(each.selectionSet.selections, false) },
      } as Selection
    })
  const definitions = document.definitions.map((each) =>
    each.kind === 'OperationDefinition'
      ? { ...each, selectionSet: { ...each.selectionSet, selections: only(each.selectionSet.selections, true) } }
      : each,
  )
  const made: DocumentNode = { ...document, definitions }
  known.set(typename, made)
  return made
}

/** The name of the one fragment on `Message` that no other fragment of the document spreads. */
function nameOf({ definitions }: DocumentNode): string {
  const fragments = definitions.filter((each): each is Fragment => each.kind === 'FragmentDefinition')
  const spread = new Set(fragments.flatMap((each) => [...JSON.stringify(each).matchAll(spreads)].map(([, name]) => name)))
  const named = fragments.filter(({ typeCondition, name }) => typeCondition.name.value === 'Message' && !spread.has(name.value))
  const [only, other] = named
  if (only && !other) return only.name.value
  throw new TypeError(
    `applyEvent needs the document that you follow, or the name of one of its ${named.length} fragments on Message.`,
  )
}
const spreads = /"kind":"FragmentSpread","name":\{"kind":"Name","value":"(\w+)"/g

/** The cached lists and objects that an answer read at the event's place or later. */
function* newer(cache: ApolloCache, value: unknown, event: EventData, news: News): Iterable<PreviousValues> {
  if (value === null || typeof value !== 'object') return
  const fields = value as Fields
  const id = typeof fields.id === 'string' ? cache.identify(fields as { __typename?: string }) : undefined
  for (const [field, each] of Object.entries(fields)) {
    yield* newer(cache, each, event, news)
    if (id === undefined || each === null || typeof each !== 'object' || !news.isOlder(fields.id, field, event)) continue
    const values = new Map<string, unknown>()
    cache.modify({
      id,
      fields: {
        [field](held: unknown, { storeFieldName }) {
          values.set(storeFieldName, held)
          return held
        },
      },
    })
    yield { id, field, values }
  }
}
