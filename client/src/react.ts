// Hooks for React on a store. A component renders again only if what it shows has changed: lists give IDs, rows read their own object.

import {
  createContext,
  createElement,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react'
import type { ClientState, ParleyClient } from './client.ts'
import type { SignalsSubscription } from './generated/operations.ts'
import * as documents from './store/documents.ts'
import type { HistoryPlace } from './store/history.ts'
import type { Conversation, Person, Topic } from './store/state.ts'
import type { MessageList, ParleyStore, Totals } from './store/store.ts'
import { watchPresence } from './store/watch-presence.ts'

export { isForwarded } from './forwarded.ts'
export { StoreActions } from './store/actions.ts'
export type { HistoryPlace } from './store/history.ts'
export type { Message } from './store/message-window.ts'
export { indexedDbStore, memoryStore, type StoreDump, type StoreStorage } from './store/persistence.ts'
export type { ContentChange, MessageContents } from './store/sealed.ts'
export type { SealedState } from './store/sealed-state.ts'
export type { Conversation, Person } from './store/state.ts'
export { type MessageList, openStore, ParleyStore, type Totals } from './store/store.ts'

const Store = createContext<ParleyStore | null>(null)

/** Gives the hooks below it their store. */
export function ParleyProvider({ store, children }: { readonly store: ParleyStore; readonly children?: ReactNode }) {
  return createElement(Store.Provider, { value: store }, children)
}

/** The store of the nearest `ParleyProvider`. @throws Error if there is none */
export function useStore(): ParleyStore {
  const store = useContext(Store)
  if (!store) throw new Error('Put a <ParleyProvider store={…}> around the components that use Parley.')
  return store
}

function useTopic<Value>(topic: Topic, read: (store: ParleyStore) => Value): Value {
  const store = useStore()
  const subscribe = useCallback((changed: () => void) => store.subscribe(topic, changed), [store, topic])
  const value = () => read(store)
  return useSyncExternalStore(subscribe, value, value)
}

/** The viewer; null before the first answer of the server. */
export function useViewer(): Person | null {
  return useTopic('viewer', (store) => store.viewer)
}

/** The list of conversations: pinned ones first, then by the most recent activity. */
export type ConversationList = {
  /** The same array until the order changes. */
  readonly ids: readonly string[]
  readonly hasMore: boolean
  /** Loads a further page. @throws ParleyFailure */
  loadMore(): Promise<void>
}

/** The conversations of the viewer: their IDs, so that a list does not render again for a change of one row (`useConversation`). */
export function useConversations(): ConversationList {
  const store = useStore()
  const ids = useTopic('list', ({ list }) => list)
  const { hasMore } = store
  return useMemo(() => ({ ids, hasMore, loadMore: () => store.loadMore() }), [store, ids, hasMore])
}

/** A conversation; null if it is not known. */
export function useConversation(id: string): Conversation | null {
  return useTopic(`conversation ${id}`, (store) => store.conversation(id))
}

/** MessageView of a conversation, and how to get more. */
export type MessageView = MessageList & {
  loadOlder(): Promise<void>
  loadNewer(): Promise<void>
  /** Shows another part of the history: around a message, a seq or a time. */
  showAround(place: HistoryPlace): Promise<void>
  showNewest(): Promise<void>
  /** Marks everything up to a seq as read. */
  markRead(seq: number): Promise<void>
}

/** The messages of a conversation, endless in both directions, with those that are not sent yet. */
export function useMessages(id: string): MessageView {
  const store = useStore()
  useEffect(() => store.watch(id), [store, id])
  const list = useTopic(`messages ${id}`, (now) => now.messages(id))
  return useMemo(
    () => ({
      ...list,
      loadOlder: () => store.loadOlder(id),
      loadNewer: () => store.loadNewer(id),
      showAround: (place) => store.showAround(id, place),
      showNewest: () => store.showNewest(id),
      markRead: (seq) => store.markRead(id, seq),
    }),
    [store, id, list],
  )
}

/** How far the members of a conversation have read, and received, by user ID. */
export function useMarkers(id: string): {
  readonly read: ReadonlyMap<string, number>
  readonly delivered: ReadonlyMap<string, number>
} {
  const read = useTopic(`markers ${id}`, (store) => store.readMarkers(id))
  const delivered = useTopic(`markers ${id}`, (store) => store.deliveryMarkers(id))
  return useMemo(() => ({ read, delivered }), [read, delivered])
}

/** A message to send, without its conversation. */
export type Draft = Omit<Parameters<ParleyClient['send']>[0], 'conversationId'>

/** Sends messages to a conversation. They show as pending at once (`useMessages`); a failed one stays until `retry` or `discard`. */
export function useSend(id: string) {
  const store = useStore()
  return useMemo(() => {
    const { outbox } = store.client
    return {
      send: (draft: Draft) => store.send({ ...draft, conversationId: id }),
      retry: (clientMessageId: string) => outbox.retry(clientMessageId),
      discard: (clientMessageId: string) => outbox.discard(clientMessageId),
    }
  }, [store, id])
}

/** How long the server shows typing without a repeat, and how often this repeats it, in milliseconds. */
const typingEveryMs = 4_000

/** Who is typing in a conversation, and a function to call at every key press; call it with false when the text is sent or empty. */
export function useTyping(id: string): {
  readonly users: readonly Pick<Person, 'id' | 'displayName'>[]
  setTyping(isTyping: boolean): void
} {
  const store = useStore()
  const [users, setUsers] = useState<readonly Pick<Person, 'id' | 'displayName'>[]>([])
  useEffect(() => {
    setUsers([])
    return store.client.subscribe(documents.Typing, { id }, { next: ({ typing }) => setUsers(typing.users) })
  }, [store, id])
  const setTyping = useMemo(() => {
    let saidAt = 0
    return (isTyping: boolean) => {
      const now = Date.now()
      if (isTyping ? now - saidAt < typingEveryMs : saidAt === 0) return
      saidAt = isTyping ? now : 0
      // It is a signal: a lost one lapses.
      store.client.execute(documents.SetTyping, { input: { conversationId: id, typing: isTyping } }).catch(() => undefined)
    }
  }, [store, id])
  return useMemo(() => ({ users, setTyping }), [users, setTyping])
}

/** A signal of an app: what another device of the conversation says at this moment. */
export type ReceivedSignal = SignalsSubscription['signals']

/**
 * Calls `onSignal` for each signal of a conversation that other devices send while the component is shown. Signals are never stored:
 * one that is sent before, or while there is no connection, is lost.
 * @returns how to send one, to all that watch the conversation at that moment. @throws ParleyFailure
 */
export function useSignals(
  id: string,
  onSignal: (signal: ReceivedSignal) => void,
): (kind: string, data?: unknown) => Promise<void> {
  const store = useStore()
  const latest = useRef(onSignal)
  useEffect(() => {
    latest.current = onSignal
  }, [onSignal])
  useEffect(
    () => store.client.subscribe(documents.Signals, { id }, { next: ({ signals }) => latest.current(signals) }),
    [store, id],
  )
  return useCallback((kind, data = null) => store.actions.sendSignal(id, kind, data), [store, id])
}

/** The presence of a user. */
export type UserPresence = {
  readonly state: 'ONLINE' | 'IDLE' | 'DO_NOT_DISTURB' | 'OFFLINE'
  readonly lastActiveAt: string | null
}

/**
 * The presence of users, by ID, while the component is shown: of the first 200. Users whose presence the viewer may not see are left
 * out; a user who becomes visible later is shown when the component asks again, with other IDs or newly mounted.
 */
export function usePresence(userIds: readonly string[]): ReadonlyMap<string, UserPresence> {
  const store = useStore()
  const key = [...new Set(userIds)].sort().join(' ')
  const [known, setKnown] = useState<ReadonlyMap<string, UserPresence>>(new Map())
  useEffect(() => {
    setKnown((now) => (now.size === 0 ? now : new Map()))
    if (key === '') return undefined
    return watchPresence(store.client, key.split(' '), ({ user, state, lastActiveAt }) =>
      setKnown((now) => new Map([...now, [user.id, { state, lastActiveAt }]])),
    )
  }, [store, key])
  return known
}

/** What is unread in the known conversations that are not muted. */
export function useUnreadTotals(): Totals {
  return useTopic('totals', ({ totals }) => totals)
}

/** The state of the connection, for the app to show. */
export function useConnectionState(): ClientState {
  const { client } = useStore()
  const subscribe = useCallback((changed: () => void) => client.onState(changed), [client])
  const read = () => client.state
  return useSyncExternalStore(subscribe, read, read)
}
