// Where the user is, kept in the address, so that the browser's Back button works: the list, a conversation, a message in it, or an
// invite.

import { useSyncExternalStore } from 'react'

/** What the page shows. */
export type Place = {
  readonly conversationId: string | null
  /** A message to jump to. */
  readonly messageId: string | null
  /** The token of an invite that was followed. */
  readonly invite: string | null
}

const subscribe = (changed: () => void) => {
  addEventListener('hashchange', changed)
  return () => removeEventListener('hashchange', changed)
}

function placeOf(hash: string): Place {
  const [kind, first = null, second = null] = hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent)
  return {
    conversationId: kind === 'c' ? first : null,
    messageId: kind === 'c' ? second : null,
    invite: kind === 'invite' ? first : null,
  }
}

/** The place of now. */
export function usePlace(): Place {
  return placeOf(useSyncExternalStore(subscribe, () => location.hash))
}

/** Goes to a conversation, and to a message in it; to the list without one. */
export function goTo(conversationId: string | null, messageId: string | null = null): void {
  const parts = ['c', conversationId, messageId].filter((part) => part !== null).map(encodeURIComponent)
  location.hash = conversationId === null ? '/' : `/${parts.join('/')}`
}

/** The address of an invite. */
export const addressOfInvite = (token: string) => new URL(`/#/invite/${encodeURIComponent(token)}`, location.href).href
