// What was written in a conversation and not sent yet. It stays on this device, also over a reload, until it is sent or the user logs out.

import { useEffect, useState } from 'react'

/** A text that is not sent yet, and the IDs of users that it may mention, by username. */
export type Draft = { readonly text: string; readonly mentions: Readonly<Record<string, string>> }

const none: Draft = { text: '', mentions: {} }
const prefixOf = (userId: string) => `parley.draft.${userId}.`

function read(key: string): Draft {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(key) ?? 'null')
    const { text, mentions } = { ...none, ...(kept as Partial<Draft> | null) }
    return typeof text === 'string' && typeof mentions === 'object' ? { text, mentions } : none
  } catch {
    return none
  }
}

function write(key: string, draft: Draft): void {
  try {
    if (draft.text === '') localStorage.removeItem(key)
    else localStorage.setItem(key, JSON.stringify(draft))
  } catch {
    // The browser keeps nothing, or has no room: the text stays for as long as the conversation is open.
  }
}

/** The draft of a user in a conversation, and how to change it. It follows what is written in other tabs. */
export function useDraft(userId: string, conversationId: string) {
  const key = prefixOf(userId) + conversationId
  const [draft, setDraft] = useState(() => read(key))
  useEffect(() => {
    const look = (event: StorageEvent) => event.key === key && setDraft(read(key))
    addEventListener('storage', look)
    return () => removeEventListener('storage', look)
  }, [key])
  const change = (next: Draft) => {
    setDraft(next)
    write(key, next)
  }
  return [draft, change] as const
}

/** Removes all drafts of a user. */
export function forgetDrafts(userId: string): void {
  for (const key of Object.keys(localStorage)) if (key.startsWith(prefixOf(userId))) localStorage.removeItem(key)
}
