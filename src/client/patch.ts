// What an event changes in the answer of a query, as a pure function: for apps that keep answers as they came, and for urql.
// Applied twice it changes nothing more, so a message is not shown twice, whichever came first, its event or an answer.

/** An event that tells of a message or a conversation. */
export type TellingEvent = {
  readonly __typename: string
  readonly message?: object | null
  readonly conversation?: object | null
}

type Entity = { readonly id?: unknown; readonly [field: string]: unknown }
type Message = Entity & {
  readonly seq?: number
  readonly version?: number
  readonly clientMessageId?: string | null
  readonly conversation?: Entity | null
}
type Page = { readonly nodes: readonly (Message | null)[]; readonly pageInfo?: { readonly hasNextPage?: boolean } | null }

/**
 * What an answer looks like after an event: a new message stands at the end of its conversation's newest page (`messages.nodes`)
 * and is its `lastMessage`; what the event shows of a message or a conversation replaces what was known of it, wherever it is.
 * Messages are added as the event shows them, so let the query and the subscription select one fragment of them. Pages that may
 * not be the newest select `pageInfo { hasNextPage }`, or `seq` of their messages.
 * Where both show a message's `version`, one that is newer than the event's stays as it is.
 * @returns the answer given, where nothing in it changes
 */
export function applyEvent<Data>(data: Data, event: TellingEvent): Data {
  const message = event.message as Message | null | undefined
  const conversation = (event.conversation ?? message?.conversation) as Entity | null | undefined
  const told = new Map<unknown, Entity>()
  for (const entity of [message, conversation]) if (entity?.id) told.set(entity.id, entity)
  const isNew = event.__typename === 'MessageSent' && message !== null && message !== undefined
  return walk(data, told, isNew ? { message, conversationId: conversation?.id } : null) as Data
}

type Addition = { readonly message: Message; readonly conversationId: unknown }

function walk(value: unknown, told: ReadonlyMap<unknown, Entity>, added: Addition | null): unknown {
  if (Array.isArray(value)) {
    const walked = value.map((each) => walk(each, told, added))
    return walked.some((each, i) => each !== value[i]) ? walked : value
  }
  if (value === null || typeof value !== 'object') return value
  const before = value as Entity
  const after: Record<string, unknown> = { ...before }
  const known = told.get(before.id)
  const news = known && isOlder(known.version, before.version) ? undefined : known
  for (const field of Object.keys(before)) {
    if (news && field in news && !isPage(before[field])) after[field] = merged(before[field], news[field])
    else after[field] = walk(before[field], told, added)
  }
  if (added && before.id !== undefined && before.id === added.conversationId) {
    if ('lastMessage' in before && isAfter(added.message, before.lastMessage)) after.lastMessage = added.message
    if (isPage(before.messages)) after.messages = withMessage(after.messages as Page, added.message)
  }
  return Object.keys(before).some((field) => after[field] !== before[field]) ? after : before
}

/** Whether what is told of a message was so before what is known of it; unknown, where one of them does not show its version. */
export function isOlder(told: unknown, known: unknown): boolean {
  return typeof told === 'number' && typeof known === 'number' && told < known
}

const recentMax = 500

/** The last events: an answer may have been read before them, and have come after them. */
export class RecentEvents {
  #events: TellingEvent[] = []

  add(event: TellingEvent): void {
    this.#events.push(event)
    if (this.#events.length > recentMax) this.#events.shift()
  }

  /** An answer as it is after them. */
  applyTo<Data>(data: Data): Data {
    return this.#events.reduce(applyEvent, data)
  }

  clear(): void {
    this.#events = []
  }
}

/** The news of a field. What is equal stays the same object, so that nobody draws it anew. */
function merged(before: unknown, news: unknown): unknown {
  return before === news || JSON.stringify(before) === JSON.stringify(news) ? before : news
}

const isPage = (value: unknown): value is Page => Array.isArray((value as Page | null | undefined)?.nodes)

const isAfter = (message: Message, last: unknown) =>
  last === null || ((last as Message).id !== message.id && ((last as Message).seq ?? 0) < (message.seq ?? 1))

/** A page with a message at its end; the page itself where the message is there already, or belongs to a later page. */
export function withMessage(page: Page, message: Message): Page {
  const own = page.nodes.findIndex((node) => isSame(node, message))
  if (own >= 0) {
    if (page.nodes[own]?.id === message.id) return page
    return { ...page, nodes: page.nodes.with(own, message) }
  }
  const place = placeIn(page, message)
  return place === null ? page : { ...page, nodes: page.nodes.toSpliced(place, 0, message) }
}

/** One message, or the copy that an app showed before it had an id. */
const isSame = (node: Message | null, { id, clientMessageId }: Message) =>
  node?.id === id || (clientMessageId != null && node?.clientMessageId === clientMessageId)

/**
 * Where in a page a message belongs that is not in it; null where it belongs to another page. Messages may come out of order: an
 * own one by its answer, before the event of one that is older.
 */
export function placeIn({ nodes, pageInfo }: Page, { seq }: Message): number | null {
  const next = seq === undefined ? -1 : nodes.findIndex((node) => node?.seq !== undefined && node.seq > seq)
  if (next >= 0) return next > 0 ? next : null
  return isNext({ nodes, pageInfo: pageInfo ?? null }, seq) ? nodes.length : null
}

function isNext({ nodes, pageInfo }: Page, seq: number | undefined): boolean {
  if (pageInfo?.hasNextPage !== undefined) return !pageInfo.hasNextPage
  const last = nodes.at(-1)
  return last?.seq === undefined || seq === undefined || last.seq + 1 === seq
}
