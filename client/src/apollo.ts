// Parley for Apollo Client: a link for subscriptions over the client's socket, and functions that apply events to an
// InMemoryCache.

import { type ApolloCache, ApolloLink, type DocumentNode, Observable, type Reference } from '@apollo/client'
import { print } from '@apollo/client/utilities'
import { writeEvent } from './apollo-write.ts'
import type { ParleyClient } from './client.ts'
import { News } from './news.ts'
import { type EventData, isOlder, placeIn } from './patch.ts'
import { laterOf, placeOfAnswer } from './place.ts'

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
  /** Records an event. Call it from `onEvent`, before `applyEvent`. */
  note(event: EventData): void
  /** Forgets all events and answers. Call it from `snapshot`, before you fill the cache again. */
  reset(): void
}

/** Makes a link that brings answers up to date before they reach the cache. Each Apollo Client needs its own. */
export function liveLink(): LiveLink {
  const news = new News()
  return {
    link: new ApolloLink((operation, forward) => {
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
    note: (event) => void news.add(named(event)),
    reset: () => news.clear(),
  }
}

/** An event whose message has the `__typename` that Apollo Client needs. */
const named = ({ message, ...event }: EventData): EventData =>
  message ? { ...event, message: { __typename: 'Message', ...message } } : event

const replaced = { merge: false } as const
/** Type policies for an InMemoryCache: the lists of an event replace the cached ones. */
export const typePolicies = {
  Message: { fields: { reactions: replaced, mentions: replaced, versions: replaced } },
  Conversation: { fields: { readMarkers: replaced, pinnedMessages: replaced } },
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
type CachedPage = { readonly nodes: readonly Reference[]; readonly pageInfo?: { readonly hasNextPage?: boolean } }

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
        const page = existing as CachedPage
        if (!Array.isArray(page?.nodes)) return existing
        const seqOf = (node: Reference) => readField<number>('seq', node)
        const isOwn = (node: Reference) =>
          message.clientMessageId != null && readField('clientMessageId', node) === message.clientMessageId
        if (page.nodes.some((node) => node.__ref === reference.__ref)) return existing
        const own = page.nodes.findIndex(isOwn)
        if (own >= 0) return { ...page, nodes: page.nodes.with(own, reference) }
        const seqs = page.nodes.map((node) => ({ seq: seqOf(node) }))
        const place = placeIn({ ...page, nodes: seqs as never }, message)
        return place === null ? existing : { ...page, nodes: page.nodes.toSpliced(place, 0, reference) }
      },
      lastMessage(existing, { readField }) {
        const last = existing as Reference | null
        const seq = last ? (readField<number>('seq', last) ?? 0) : 0
        return seq < (message.seq ?? Number.POSITIVE_INFINITY) ? reference : existing
      },
    },
  })
}
