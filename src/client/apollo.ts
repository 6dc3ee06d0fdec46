// Parley for Apollo Client: a link for subscriptions over the client's socket, and what applies events to an InMemoryCache.

import { type ApolloCache, ApolloLink, type DocumentNode, Observable, type Reference } from '@apollo/client'
import { print } from '@apollo/client/utilities'
import type { ParleyClient } from './client.ts'
import { isOlder, placeIn, RecentEvents, type TellingEvent } from './patch.ts'

/** A link for subscriptions: typing and presence over the socket of a client. `events` are for `client.follow`. */
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

/** What keeps the answers of queries up to date that were read before an event, and come after it. */
export type Live = {
  /** To be put before the link that asks over HTTP. */
  readonly link: ApolloLink
  /** Notes an event: call it from `onEvent`, before `applyEvent`. */
  note(event: TellingEvent): void
  /** Forgets all events: call it from `snapshot`, before `resetStore`. */
  reset(): void
}

/** Makes a link that applies recent events to the answers of queries, before they come to the cache. */
export function liveLink(): Live {
  const recent = new RecentEvents()
  return {
    link: new ApolloLink(
      (operation, forward) =>
        new Observable((observer) =>
          forward(operation).subscribe({
            next: (result) => observer.next(result.data ? { ...result, data: recent.applyTo(result.data) } : result),
            error: (error) => observer.error(error),
            complete: () => observer.complete(),
          }),
        ),
    ),
    note: ({ message, ...event }) => recent.add(message ? { ...event, message: { __typename: 'Message', ...message } } : event),
    reset: () => recent.clear(),
  }
}

/** What an InMemoryCache has to know: the reactions that an event shows take the place of those that were there. */
export const typePolicies = { Message: { fields: { reactions: { merge: false } } } } as const

type Message = {
  readonly __typename?: string
  readonly id: string
  readonly seq?: number
  readonly version?: number
  readonly clientMessageId?: string | null
  readonly conversation?: Conversation | null
}
type Conversation = { readonly __typename?: string; readonly id: string }
type Page = { readonly nodes: readonly Reference[]; readonly pageInfo?: { readonly hasNextPage?: boolean } }

/**
 * Applies an event to a cache: call it from `onEvent`. A new message stands at the end of its conversation's newest page
 * (`messages.nodes`) and is its `lastMessage`; one that was edited or deleted, or whose reactions changed, is so wherever it is
 * shown. Applied twice it changes nothing more; where both show its `version`, a message that is newer stays as it is.
 * @param fragment what the event selects of a message: the fragment that queries use for messages, too
 * @param fragmentName which one, where the document holds several
 */
export function applyEvent(cache: ApolloCache, event: TellingEvent, fragment: DocumentNode, fragmentName?: string): void {
  const message = event.message as Message | null | undefined
  if (!message) return
  const named = fragmentName === undefined ? {} : { fragmentName }
  cache.batch({
    update: () => {
      const data = { __typename: 'Message', ...message }
      const id = cache.identify(data)
      const isKnown = id !== undefined && isOlder(message.version, versionOf(cache, id))
      const reference = isKnown ? { __ref: id } : cache.writeFragment({ fragment, ...named, data })
      const conversation = (event.conversation as Conversation | null | undefined) ?? message.conversation
      if (event.__typename === 'MessageSent' && reference && conversation) add(cache, conversation.id, message, reference)
    },
  })
}

/** Which version of a message a cache holds; null where it holds none, or does not know. */
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

function add(cache: ApolloCache, conversationId: string, message: Message, reference: Reference): void {
  const id = cache.identify({ __typename: 'Conversation', id: conversationId })
  if (id === undefined) return
  cache.modify({
    id,
    fields: {
      messages(existing, { readField }) {
        const page = existing as Page
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
