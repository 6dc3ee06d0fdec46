// Parley for Apollo Client: a link for subscriptions over the client's socket, and functions that apply events to an
// InMemoryCache.

import { type ApolloCache, type ApolloClient, ApolloLink, type DocumentNode, Observable, type Reference } from '@apollo/client'
import { print } from '@apollo/client/utilities'
import { writeEvent } from './apollo-write.ts'
import type { ParleyClient } from './client.ts'
import { News } from './news.ts'
import { type EventData, edgeOf, endingWith, isOlder, placeIn } from './patch.ts'
import { laterOf, placeOfAnswer } from './place.ts'
import { isStale, Refresher } from './stale.ts'

/** A link for subscriptions such as typing and presence, over the socket of a client. For `events` use `client.follow`. */
export function subscriptionLink(client: ParleyClient): ApolloLink {
  return new ApolloLink(
    ({ query, variables }) =>
      new Observable((observer) =>
        client.subscribe<Record<string, unknown>, Record<string, unknown>>(print(query), variables, {
          next: (data) => observer.next({ data }),
          failed: (failure) => observer.error(failure),
          completed: () => observer.complete(),
        }),
      ),
  )
}

/** The news of each cache, which its link and `applyEvent` share. */
const newsOf = new WeakMap<ApolloCache, News>()

/** Keeps answers and events of one cache in order, whichever arrives first. */
export type LiveLink = {
  /** Put it before the HTTP link. */
  readonly link: ApolloLink
  /**
   * Records an event, and refetches the queries on the screen soon that only the server can mend: counts, the order of lists, what you may
   * do. Call it from `onEvent`, before `applyEvent`. Show a query that was off the screen with the fetch policy `cache-and-network`.
   */
  note(event: EventData): void
  /** Forgets all events and answers. Call it from `snapshot`, before you fill the cache again. */
  reset(): void
}

/** Makes a link that brings answers up to date before they reach the cache. Each Apollo Client needs its own. */
export function liveLink(): LiveLink {
  const news = new News()
  let apollo: ApolloClient | null = null
  const refresher = new Refresher((events) => {
    const onQueryUpdated = (_query: unknown, { result }: { readonly result: unknown }) =>
      events.some((event) => isStale(result, event))
    apollo?.refetchQueries({ include: 'active', onQueryUpdated }).catch(() => undefined)
  })
  return {
    link: new ApolloLink((operation, forward) => {
      apollo = operation.client
      newsOf.set(operation.client.cache, news)
      const sentAt = news.latest
      return new Observable((observer) =>
        forward(operation).subscribe({
          next(result) {
            const place = laterOf(placeOfAnswer(result), sentAt)
            observer.next(result.data ? { ...result, data: news.answered(result.data, place) } : result)
          },
          error: (error) => observer.error(error),
          complete: () => observer.complete(),
        }),
      )
    }),
    note(event) {
      news.add(named(event))
      refresher.add(event)
    },
    reset() {
      news.clear()
      refresher.clear()
    },
  }
}

/** An event whose message has the `__typename` that Apollo Client needs. */
const named = ({ message, ...event }: EventData): EventData =>
  message ? { ...event, message: { __typename: 'Message', ...message } } : event

const replaced = { merge: false } as const
/** Type policies for an InMemoryCache: the lists of an event replace the cached ones, and pages keep what other queries asked of them. */
export const typePolicies = {
  Message: { fields: { reactions: replaced, mentions: replaced, versions: replaced } },
  Conversation: { fields: { readMarkers: replaced, pinnedMessages: replaced } },
  // One query may ask for nodes and another for edges of the same page.
  ConversationConnection: { merge: true },
  MemberConnection: { merge: true },
  MessageConnection: { merge: true },
} as const

type CachedMessage = {
  readonly __typename?: string
  readonly id: string
  readonly seq?: number
  readonly version?: number
  readonly clientMessageId?: string | null
  readonly conversation?: CachedConversation | null
}
type CachedConversation = { readonly __typename?: string; readonly id: string }
type CachedEdge = { readonly node: Reference }
type CachedPage = {
  readonly nodes?: readonly Reference[]
  readonly edges?: readonly CachedEdge[]
  readonly pageInfo?: { readonly hasNextPage?: boolean }
}

/**
 * Applies an event to a cache. Call it from `onEvent`. It writes all fields of the event, appends a new message to the newest
 * page of its conversation (`messages.nodes`), and makes it the `lastMessage`. It is idempotent. It skips fields that an answer
 * read at the event's place or later, and messages that are cached in a newer `version`.
 * @param document the followed document; or a fragment on `Message` that events and queries share, to write messages only
 * @param fragmentName the name of that fragment, needed if the document has several fragments on `Message`, none of which
 *   spreads the others
 * @throws TypeError if the document has neither a subscription nor such a fragment
 */
export function applyEvent(cache: ApolloCache, event: EventData, document: DocumentNode, fragmentName?: string): void {
  const news = newsOf.get(cache)
  const newest = news?.newest(named(event)) ?? named(event)
  const message = newest.message as CachedMessage | null | undefined
  const conversation = (newest.conversation as CachedConversation | null | undefined) ?? message?.conversation
  const id = message ? cache.identify(message as { __typename: string }) : undefined
  const isStale = id !== undefined && isOlder(message?.version, versionOf(cache, id))
  cache.batch({
    update: () => {
      if (!isStale) writeEvent(cache, newest, document, fragmentName, news)
      if (event.__typename === 'MessageSent' && message && conversation && id) add(cache, conversation.id, message, { __ref: id })
    },
  })
}

/** The `version` of a cached message; null if the cache does not have the message or its version. */
function versionOf(cache: ApolloCache, id: string): unknown {
  let known: unknown = null
  cache.modify({
    id,
    fields: {
      version(version: unknown) {
        known = version
        return version
      },
    },
  })
  return known
}

function add(cache: ApolloCache, conversationId: string, message: CachedMessage, reference: Reference): void {
  const id = cache.identify({ __typename: 'Conversation', id: conversationId })
  if (id === undefined) return
  cache.modify({
    id,
    fields: {
      messages(existing, { readField }) {
        const page = existing as CachedPage | null | undefined
        const isOwn = (node: Reference) =>
          message.clientMessageId != null && readField('clientMessageId', node) === message.clientMessageId
        /** The references with the new one in its place; the same ones if it does not belong there. */
        const added = (nodes: readonly Reference[]): readonly Reference[] => {
          if (nodes.some((node) => node.__ref === reference.__ref)) return nodes
          const own = nodes.findIndex(isOwn)
          if (own >= 0) return nodes.with(own, reference)
          const seqs = nodes.map((node) => ({ seq: readField<number>('seq', node) }))
          const place = placeIn({ nodes: seqs as never, pageInfo: page?.pageInfo ?? null }, message)
          return place === null ? nodes : nodes.toSpliced(place, 0, reference)
        }
        const { nodes, edges } = page ?? {}
        if (!nodes && !edges) return existing
        const known = new Map(edges?.map((edge) => [edge.node.__ref, edge]))
        const edgeFor = (node: Reference) => known.get(node.__ref) ?? edgeOf(node, message.seq)
        const references = nodes ?? edges?.map(({ node }) => node) ?? []
        const isLast = added(references).at(-1)?.__ref === reference.__ref
        return {
          ...page,
          ...(page?.pageInfo && isLast && { pageInfo: endingWith(page.pageInfo, message.seq) }),
          ...(nodes && { nodes: added(nodes) }),
          ...(edges && { edges: added(edges.map(({ node }) => node)).map(edgeFor) }),
        }
      },
      lastMessage(existing, { readField }) {
        const last = existing as Reference | null
        const seq = last ? (readField<number>('seq', last) ?? 0) : 0
        return seq < (message.seq ?? Number.POSITIVE_INFINITY) ? reference : existing
      },
    },
  })
}
