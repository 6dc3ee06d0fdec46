// Where the user is, kept in the address, so that the browser's Back button works: the list, a conversation, a message in it, an
// invite, or the moderators' page.

import { useSyncExternalStore } from 'react'

/** What the page shows. */
export type Place = {
  readonly conversationId: string | null
  /** A message to jump to. */
  readonly messageId: string | null
  /** The token of an invite that was followed. */
  readonly invite: string | null
  /** Whether it is the page of moderators. */
  readonly isModeration: boolean
}

const subscribe = (changed: () => void) => {
  addEventListener('hashchange', changed)
  return () => removeEventListener('hashchange', changed)
}

function placeOf(hash: string): Place {
  const [kind, first = null, second = null] = hash
    .replace(/^#\/?/, '')
    .split('/')
    .map((part) => decoded(part))
  return {
    conversationId: kind === 'c' ? first : null,
    messageId: kind === 'c' ? second : null,
    invite: kind === 'invite' ? first : null,
    isModeration: kind === 'moderation',
  }
}

/** A part of the address; an address that somebody has broken leads to the list. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return ''
  }
}

/** The place of now. */
export const currentPlace = () => placeOf(location.hash)

/** The place of now, for a component that follows it. */
export function usePlace(): Place {
  return placeOf(useSyncExternalStore(subscribe, () => location.hash))
}

/** Goes to a conversation, and to a message in it; to the list without one. */
export function goTo(conversationId: string | null, messageId: string | null = null): void {
  const parts = ['c', conversationId, messageId].filter((part) => part !== null).map(encodeURIComponent)
  location.hash = conversationId === null ? '/' : `/${parts.join('/')}`
}

/** Goes to the page of moderators. */
export function goToModeration(): void {
  location.hash = '/moderation'
}

/** Removes the message from the address, once the user is there: so the same jump works again. */
export function arrive(conversationId: string): void {
  history.replaceState(history.state, '', `#/c/${encodeURIComponent(conversationId)}`)
  dispatchEvent(new HashChangeEvent('hashchange'))
}

/** The address of an invite. */
export const addressOfInvite = (token: string) => new URL(`/#/invite/${encodeURIComponent(token)}`, location.href).href
