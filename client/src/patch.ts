// Applies an event to the answer of a query, as a pure function: for apps that keep answers as they came, and for urql. It is
// idempotent, so a message is not shown twice, whether its event or an answer came first.

import { isIncluded, placeOf } from './place.ts'

/** An event with the message, the conversation or the user that it changes. */
export type EventData = {
  readonly __typename: string
  /** Its place. The event does not change an answer that includes it. */
  readonly cursor?: string
  readonly message?: object | null
  readonly conversation?: object | null
}

type Entity = { readonly id?: unknown; readonly [field: string]: unknown }
type MessageEntity = Entity & {
  readonly seq?: number
  readonly version?: number
  readonly clientMessageId?: string | null
  readonly conversation?: Entity | null
}
type PatchedPage = {
  readonly nodes: readonly (MessageEntity | null)[]
  readonly pageInfo?: { readonly hasNextPage?: boolean } | null
}
type PatchedEdges = {
  readonly edges: readonly ({ readonly node: MessageEntity | null } | null)[]
  readonly pageInfo?: { readonly hasNextPage?: boolean } | null
}

/**
 * Applies an event to an answer. It appends a new message to the newest page of its conversation (`messages.nodes`) and makes
 * it the `lastMessage`. The event's fields of a message, a conversation or a user replace the known ones wherever the entity
 * appears; a message that the answer has in a newer `version` stays as it is.
 *
 * Messages are added as the event shows them: use the same fragment in the query and the subscription. Pages that may not be
 * the newest need `pageInfo { hasNextPage }`, or `seq` of their messages. An event does not change an answer that selects
 * `syncCursor` and includes the event.
 * @returns the same object if nothing changes
 */
export function applyEvent<Data>(data: Data, event: EventData): Data {
  const { syncCursor } = (data ?? {}) as { readonly syncCursor?: unknown }
  if (isIncluded(placeOf(event.cursor), placeOf(syncCursor))) return data
  const message = event.message as MessageEntity | null | undefined
  const conversation = (event.conversation ?? message?.conversation) as Entity | null | undefined
  const changed = new Map<unknown, Entity>()
  for (const entity of [conversation, ...Object.values(event)] as (Entity | null | undefined)[]) {
    if (entity?.id) changed.set(entity.id, entity)
  }
  const isNew = event.__typename === 'MessageSent' && message !== null && message !== undefined
  return walk(data, changed, isNew ? { message, conversationId: conversation?.id } : null) as Data
}

type Addition = { readonly message: MessageEntity; readonly conversationId: unknown }

function walk(value: unknown, changed: ReadonlyMap<unknown, Entity>, added: Addition | null): unknown {
  if (Array.isArray(value)) {
    const walked = value.map((each) => walk(each, changed, added))
    return walked.some((each, i) => each !== value[i]) ? walked : value
  }
  if (value === null || typeof value !== 'object') return value
  const before = value as Entity
  const after: Record<string, unknown> = { ...before }
  const known = changed.get(before.id)
  const news = known && isOlder(known.version, before.version) ? undefined : known
  for (const field of Object.keys(before)) {
    if (news && field in news && !isPage(before[field])) after[field] = merged(before[field], news[field])
    else after[field] = walk(before[field], changed, added)
  }
  if (added && before.id !== undefined && before.id === added.conversationId) {
    if ('lastMessage' in before && isAfter(added.message, before.lastMessage)) after.lastMessage = added.message
    if (isPage(before.messages)) after.messages = withMessage(after.messages as PatchedPage, added.message)
    if (hasEdges(before.messages)) after.messages = withEdge(after.messages as PatchedEdges, added.message)
  }
  return Object.keys(before).some((field) => after[field] !== before[field]) ? after : before
}

/** Whether one version of a message is older than the known one. False if either is missing. */
export function isOlder(version: unknown, known: unknown): boolean {
  return typeof version === 'number' && typeof known === 'number' && version < known
}

/**
 * The new value of a field. An equal value stays the same object, so that it is not rendered again. Fields of an object that the
 * event does not have stay.
 */
function merged(before: unknown, news: unknown): unknown {
  if (before === news || JSON.stringify(before) === JSON.stringify(news)) return before
  if (Array.isArray(before) && Array.isArray(news)) {
    const there = new Map<unknown, Entity>(before.filter(isObject).map((each) => [each.id, each]))
    return news.map((each) => (isObject(each) && each.id !== undefined ? merged(there.get(each.id), each) : each))
  }
  if (!isObject(before) || !isObject(news) || before.id !== news.id) return news
  return { ...before, ...Object.fromEntries(Object.entries(news).map(([field, each]) => [field, merged(before[field], each)])) }
}

const isObject = (value: unknown): value is Entity => typeof value === 'object' && value !== null && !Array.isArray(value)

const isPage = (value: unknown): value is PatchedPage => Array.isArray((value as PatchedPage | null | undefined)?.nodes)

const hasEdges = (value: unknown): value is PatchedEdges => Array.isArray((value as PatchedEdges | null | undefined)?.edges)

const isAfter = (message: MessageEntity, last: unknown) =>
  last === null || ((last as MessageEntity).id !== message.id && ((last as MessageEntity).seq ?? 0) < (message.seq ?? 1))

/** A page with a message added in its place; the same page if it has the message already, or the message is on a later page. */
export function withMessage(page: PatchedPage, message: MessageEntity): PatchedPage {
  const own = page.nodes.findIndex((node) => isSame(node, message))
  if (own >= 0) {
    if (page.nodes[own]?.id === message.id) return page
    return { ...page, nodes: page.nodes.with(own, message) }
  }
  const place = placeIn(page, message)
  if (place === null) return page
  const nodes = page.nodes.toSpliced(place, 0, message)
  return page.pageInfo ? { ...page, nodes, pageInfo: endingWith(page.pageInfo, nodes.at(-1)?.seq) } : { ...page, nodes }
}

/** Edges with that of a message added in its place, as `withMessage` does with nodes. */
function withEdge(page: PatchedEdges, message: MessageEntity): PatchedEdges {
  const nodes = page.edges.map((edge) => edge?.node ?? null)
  const patched = withMessage({ nodes, pageInfo: page.pageInfo ?? null }, message)
  if (patched.nodes.every((node, i) => node === nodes[i]) && patched.nodes.length === nodes.length) return page
  const known = new Map(page.edges.map((edge) => [edge?.node, edge]))
  return {
    ...page,
    ...(page.pageInfo && { pageInfo: patched.pageInfo }),
    edges: patched.nodes.map((node) => known.get(node ?? undefined) ?? edgeOf(node, node?.seq)),
  }
}

/** The edge of a new message. */
export function edgeOf<Node>(node: Node, seq: number | undefined) {
  return { __typename: 'MessageEdge', cursor: cursorOf(seq), highlights: [], node }
}

/** The cursor of a message in a page. Cursors are opaque to apps, but the library belongs to Parley: this one is that of its `seq`. */
const cursorOf = (seq: number | undefined) =>
  seq === undefined ? null : btoa(String(seq)).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')

/** The information on a page whose last message is now this one. */
export function endingWith<PageInfo extends object>(pageInfo: PageInfo, seq: number | undefined): PageInfo {
  return 'endCursor' in pageInfo && seq !== undefined ? { ...pageInfo, endCursor: cursorOf(seq) } : pageInfo
}

/** The same message, or the copy that an app showed before it had an id. */
const isSame = (node: MessageEntity | null, { id, clientMessageId }: MessageEntity) =>
  node?.id === id || (clientMessageId != null && node?.clientMessageId === clientMessageId)

/**
 * The index at which a new message belongs in a page; null if it belongs to another page. Messages may come out of order: the
 * answer to an own message may come before the event of an older one.
 */
export function placeIn({ nodes, pageInfo }: PatchedPage, { seq }: MessageEntity): number | null {
  const next = seq === undefined ? -1 : nodes.findIndex((node) => node?.seq !== undefined && node.seq > seq)
  if (next >= 0) return next > 0 ? next : null
  return isNext({ nodes, pageInfo: pageInfo ?? null }, seq) ? nodes.length : null
}

function isNext({ nodes, pageInfo }: PatchedPage, seq: number | undefined): boolean {
  if (pageInfo?.hasNextPage !== undefined) return !pageInfo.hasNextPage
  const last = nodes.at(-1)
  return last?.seq === undefined || seq === undefined || last.seq + 1 === seq
}
