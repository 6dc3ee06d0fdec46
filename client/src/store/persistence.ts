// Keeps a store between runs of an app, with the cursor that it belongs to: both are saved together, so that following continues exactly
// where the kept state ends.

import { keptValue } from '../indexed-db.ts'
import type { JournalPlace } from '../place.ts'
import type { MessageWindow } from './message-window.ts'
import type { KnownConversation, Person, StoreState } from './state.ts'
import type { Unread } from './unread.ts'

/** What is kept of a store. It has no functions and can be cloned. */
export type StoreDump = {
  readonly version: 2
  readonly cursor: string
  readonly viewer: Person | null
  readonly blocked: readonly string[]
  readonly nextPage: string | null
  readonly conversations: readonly KeptConversation[]
}
type Pairs<Value> = readonly (readonly [string, Value])[]
type KeptConversation = {
  readonly parts: KnownConversation['parts']
  readonly unread: Omit<Unread, 'since'> & { readonly since: readonly (readonly [number, boolean])[] }
  readonly read: Pairs<number>
  readonly delivered: Pairs<number>
  readonly place: JournalPlace | null
  readonly order: number
  readonly window: MessageWindow | null
}

/** Stores what is kept of a store. */
export type StoreStorage = {
  load(): Promise<StoreDump | null>
  /** Keeps a state in place of the former one; null removes it. */
  save(dump: StoreDump | null): Promise<void>
  close(): Promise<void>
}

/** The most conversations: with more, nothing is kept. And the most messages of one that are kept. */
const conversationsMax = 1_000
const messagesMax = 50

/** What to keep of a state; null if it is too much. @param shown the conversations whose messages were shown last */
export function dumpOf(state: StoreState, cursor: string, shown: readonly string[]): StoreDump | null {
  if (state.conversations.size > conversationsMax) return null
  const { viewer, blocked, nextPage } = state
  const withMessages = new Set(shown)
  const conversations = [...state.conversations].map(([id, known]) => keptOf(known, withMessages.has(id)))
  return { version: 2, cursor, viewer, blocked: [...blocked], nextPage, conversations }
}

function keptOf(
  { parts, unread, read, delivered, window, place, order }: KnownConversation,
  hasMessages: boolean,
): KeptConversation {
  return {
    ...{ parts, place, order, read: [...read], delivered: [...delivered] },
    unread: { ...unread, since: [...unread.since] },
    window: hasMessages && window && !window.hasNewer ? newestOf(window) : null,
  }
}

const newestOf = ({ messages, hasOlder }: MessageWindow): MessageWindow => ({
  messages: messages.slice(-messagesMax),
  hasOlder: hasOlder || messages.length > messagesMax,
  hasNewer: false,
})

/** Restores a state from what was kept. */
export function restored(state: StoreState, dump: StoreDump): void {
  const conversations = dump.conversations.map(
    ({ unread, read, delivered, ...kept }): KnownConversation => ({
      ...kept,
      unread: { ...unread, since: new Map(unread.since) },
      read: new Map(read),
      delivered: new Map(delivered),
    }),
  )
  state.restore({ ...dump, blocked: new Set(dump.blocked), conversations })
}

/**
 * Keeps a store in IndexedDB. What is kept by another version of the library is dropped.
 * @param name the name of the database. Use one for each user
 */
export function indexedDbStore(name: string): StoreStorage {
  const kept = keptValue<StoreDump>(name)
  return {
    load: async () => {
      const dump = await kept.load()
      return dump?.version === 2 ? dump : null
    },
    save: (dump) => kept.save(dump),
    close: async () => undefined,
  }
}

/** Keeps a store in memory: for tests, and where there is no IndexedDB. */
export function memoryStore(): StoreStorage {
  let kept: string | null = null
  return {
    load: async () => (kept === null ? null : (JSON.parse(kept) as StoreDump)),
    async save(dump) {
      kept = dump === null ? null : JSON.stringify(dump)
    },
    close: async () => undefined,
  }
}
