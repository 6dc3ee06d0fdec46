// A store of what a chat shows: conversations, messages, unread counts, kept true by events. It loads what somebody watches, sends through
// the client's outbox, and may be kept on disk, so that an app opens with what it last knew and continues from there.

import type { ParleyClient } from '../client.ts'
import type { Document, Variables } from '../document.ts'
import { failureOf, type ParleyFailure, refusal } from '../failure.ts'
import type { Following } from '../follow.ts'
import type { OutboxMessage } from '../outbox-message.ts'
import { backOffMs, Pause } from '../pause.ts'
import { type JournalPlace, placeOf, placeOfAnswer } from '../place.ts'
import * as documents from './documents.ts'
import { type Message, type MessagePage, type MessageWindow, windowOf, withNewer, withOlder } from './message-window.ts'
import { dumpOf, restored, type StoreStorage } from './persistence.ts'
import { type Conversation, type Person, StoreState, type Topic } from './state.ts'

/** The loaded messages of a conversation, and those that are not sent yet. */
export type MessageList = {
  /** By `seq`. A message is the same object until it changes. */
  readonly messages: readonly Message[]
  /** Own messages without an event yet, in order: queued, under way, sent or failed. */
  readonly pending: readonly OutboxMessage[]
  readonly hasOlder: boolean
  readonly hasNewer: boolean
  readonly isLoading: boolean
  /** Why the last attempt to load messages failed; null if it did not. */
  readonly failure: ParleyFailure | null
}

/** What is unread in all conversations that are not muted. */
export type Totals = { readonly conversations: number; readonly messages: number; readonly mentions: number }

/** A place in the history of a conversation. */
export type HistoryPlace = { readonly messageId: string } | { readonly seq: number } | { readonly at: string }

const pageSize = 50
const listPageSize = 50
/** How long conversations that have changed are gathered before they are read again, in milliseconds. */
const gatherMs = 50
const idsAtOnce = 50
const saveEveryMs = 1_000
/** How many conversations keep their messages without being watched. */
const windowsMax = 30
const retry = { firstMs: 1_000, maxMs: 30_000 } as const

type Loading = { readonly isLoading: boolean; readonly failure: ParleyFailure | null }

/** Opens a store on a client, which follows from then on. `storage` keeps it between runs of the app. */
export async function openStore(client: ParleyClient, storage: StoreStorage | null = null): Promise<ParleyStore> {
  const store = new ParleyStore(client, storage)
  await store.begin()
  return store
}

/** A store. Make one with `openStore`. */
export class ParleyStore {
  readonly client: ParleyClient
  readonly #storage: StoreStorage | null
  readonly #state = new StoreState(
    (topic) => this.#changed(topic),
    (id) => this.#refresh(id),
    () => void this.#readBlocks(),
  )
  readonly #listeners = new Map<string, Set<() => void>>()
  readonly #lists = new Map<string, MessageList>()
  readonly #loading = new Map<string, Loading>()
  readonly #watched = new Map<string, number>()
  /** Conversations whose messages were shown, the most recent one last. */
  readonly #shown = new Set<string>()
  readonly #stale = new Set<string>()
  readonly #unlisten: () => void
  #following: Following | null = null
  #cursor: string | null = null
  #refreshTimer: ReturnType<typeof setTimeout> | undefined
  #saveTimer: ReturnType<typeof setTimeout> | undefined
  #attempt = 0
  readonly #pause = new Pause()
  #totals: Totals | null = null
  #isClosed = false

  constructor(client: ParleyClient, storage: StoreStorage | null) {
    this.client = client
    this.#storage = storage
    this.#unlisten = client.outbox.onChange(({ input }) => this.#changed(`messages ${input.conversationId}`))
  }

  /** Restores what is kept, and follows. */
  async begin(): Promise<void> {
    const kept = await this.#storage?.load().catch(() => null)
    if (kept) {
      restored(this.#state, kept)
      this.#cursor = kept.cursor
    }
    this.#following = this.client.follow(documents.Events, {
      after: this.#cursor,
      onEvent: (event) => {
        this.#state.apply(event)
        this.#reached(event.cursor)
      },
      snapshot: () => this.#snapshot(),
    })
  }

  /** Calls the listener at every change of a part of the store. @returns a function to remove it */
  subscribe(topic: Topic, listener: () => void): () => void {
    const ofTopic = this.#listeners.get(topic) ?? new Set()
    this.#listeners.set(topic, ofTopic.add(listener))
    return () => {
      ofTopic.delete(listener)
      if (ofTopic.size === 0) this.#listeners.delete(topic)
    }
  }

  /** The viewer; null before the first snapshot. */
  get viewer(): Person | null {
    return this.#state.viewer
  }

  /** The IDs of the known conversations, most recent activity first: the same array until it changes. */
  get list(): readonly string[] {
    return this.#state.list
  }

  /** Whether there are more conversations than the known ones. */
  get hasMore(): boolean {
    return this.#state.nextPage !== null
  }

  conversation(id: string): Conversation | null {
    return this.#state.conversation(id)
  }

  /** How far each member has read, by user. */
  readMarkers(id: string): ReadonlyMap<string, number> {
    return this.#state.conversations.get(id)?.read ?? new Map()
  }

  /** What was delivered to each member, by user; loaded while the conversation is watched. */
  deliveryMarkers(id: string): ReadonlyMap<string, number> {
    return this.#state.conversations.get(id)?.delivered ?? new Map()
  }

  get totals(): Totals {
    this.#totals ??= this.#count()
    return this.#totals
  }

  /** The messages of a conversation: the same object until it changes. */
  messages(id: string): MessageList {
    const known = this.#lists.get(id)
    if (known) return known
    const window = this.#state.conversations.get(id)?.window ?? null
    const { isLoading, failure } = this.#loading.get(id) ?? { isLoading: false, failure: null }
    const sent = new Set(window?.messages.map(({ clientMessageId }) => clientMessageId))
    const list: MessageList = {
      messages: window?.messages ?? [],
      pending: this.client.outbox.messages.filter(
        ({ input, clientMessageId }) => input.conversationId === id && !sent.has(clientMessageId),
      ),
      hasOlder: window?.hasOlder ?? true,
      hasNewer: window?.hasNewer ?? false,
      isLoading: isLoading || (window === null && failure === null),
      failure,
    }
    this.#lists.set(id, list)
    return list
  }

  /** Loads the newest messages of a conversation, and keeps them for as long as it is watched. @returns a function to stop */
  watch(id: string): () => void {
    this.#watched.set(id, (this.#watched.get(id) ?? 0) + 1)
    this.#shown.delete(id)
    this.#shown.add(id)
    this.#loadWatched(id)
    return () => {
      const count = (this.#watched.get(id) ?? 1) - 1
      if (count > 0) this.#watched.set(id, count)
      else this.#watched.delete(id)
      this.#evict()
    }
  }

  /** Loads the messages before the loaded ones. */
  async loadOlder(id: string): Promise<void> {
    const window = this.#state.conversations.get(id)?.window
    const [first] = window?.messages ?? []
    if (!window?.hasOlder || !first) return
    const page = { seq: first.seq - 1 }
    await this.#load(id, page, (now, answer) => withOlder(now, answer), pageSize - 1, 0)
  }

  /** Loads the messages after the loaded ones. */
  async loadNewer(id: string): Promise<void> {
    const window = this.#state.conversations.get(id)?.window
    const last = window?.messages.at(-1)
    if (!window?.hasNewer) return
    await this.#load(id, { seq: (last?.seq ?? 0) + 1 }, (now, answer) => withNewer(now, answer), 0, pageSize - 1)
  }

  /** Shows the messages around a place, in place of the loaded ones. */
  async showAround(id: string, place: HistoryPlace): Promise<void> {
    await this.#load(id, place, (_now, answer) => windowOf(answer), null, null, true)
  }

  /** Shows the newest messages, in place of the loaded ones. */
  async showNewest(id: string): Promise<void> {
    await this.#loadPage(
      id,
      async () => {
        const { data, place } = await this.#ask(documents.History, { id, last: pageSize, first: null, after: null, before: null })
        const messages = data.conversation?.messages
        return messages ? { window: windowOf(this.#state.brought(messages, place)) } : null
      },
      true,
    )
  }

  /** Loads a further page of conversations. */
  async loadMore(): Promise<void> {
    const after = this.#state.nextPage
    if (after === null) return
    const { data, place } = await this.#ask(documents.ConversationPage, { first: listPageSize, after })
    if (this.#state.nextPage === after) this.#state.putPage(data.conversations, place)
  }

  /** Sends a message. It shows as pending at once, and is sent even if the app restarts, if the outbox is kept. */
  send(input: Parameters<ParleyClient['send']>[0]): ReturnType<ParleyClient['send']> {
    return this.client.send(input)
  }

  /** Marks everything up to a seq as read: here at once, and on the server. */
  async markRead(id: string, seq: number): Promise<void> {
    const known = this.#state.conversations.get(id)
    if (!known || seq <= known.unread.readSeq) return
    this.#state.markRead(id, seq)
    await this.#ask(documents.MarkRead, { input: { conversationId: id, seq } }).catch(() => this.#refresh(id))
  }

  /** Stops following, and saves. The client stays open. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#following?.stop()
    this.#unlisten()
    this.#pause.end()
    clearTimeout(this.#refreshTimer)
    await this.#save()
    await this.#storage?.close()
  }

  async #snapshot(): Promise<string> {
    const { data } = await this.#ask(documents.Overview, { first: listPageSize })
    this.#state.begin(data)
    this.#reached(data.syncCursor)
    for (const id of this.#watched.keys()) this.#loadWatched(id)
    return data.syncCursor
  }

  /** Loads what is shown of a watched conversation. One that is not known yet is read first: it may be beyond the loaded list. */
  #loadWatched(id: string): void {
    const known = this.#state.conversations.get(id)
    if (!known) this.#refresh(id)
    else if (!known.window && !this.#loading.get(id)?.isLoading) void this.showNewest(id)
    if (known) void this.#loadDeliveries(id)
  }

  #reached(cursor: string): void {
    this.#cursor = cursor
    if (this.#storage) this.#saveTimer ??= setTimeout(() => void this.#save(), saveEveryMs)
  }

  async #save(): Promise<void> {
    clearTimeout(this.#saveTimer)
    this.#saveTimer = undefined
    if (this.#storage && this.#cursor !== null) {
      await this.#storage.save(dumpOf(this.#state, this.#cursor, [...this.#shown])).catch(() => undefined)
    }
  }

  async #load(
    id: string,
    place: HistoryPlace,
    merge: (now: MessageWindow, page: MessagePage) => MessageWindow,
    before: number | null = null,
    after: number | null = null,
    isJump = false,
  ): Promise<void> {
    await this.#loadPage(
      id,
      async () => {
        const none = { messageId: null, seq: null, at: null }
        const { data, place: at } = await this.#ask(documents.HistoryAround, { ...none, ...place, id, before, after })
        const page = data.conversation?.messagesAround
        const now = this.#state.conversations.get(id)?.window ?? { messages: [], hasOlder: true, hasNewer: true }
        return page ? { window: merge(now, this.#state.brought(page, at)) } : null
      },
      isJump,
    )
  }

  /** Loads one page at a time. A jump does not wait for the page that is under way, which it makes useless. */
  async #loadPage(id: string, load: () => Promise<{ window: MessageWindow } | null>, isJump: boolean): Promise<void> {
    if (this.#loading.get(id)?.isLoading && !isJump) return
    const loading: Loading = { isLoading: true, failure: null }
    const end = (failure: ParleyFailure | null) => {
      if (this.#loading.get(id) !== loading) return false
      this.#setLoading(id, { isLoading: false, failure })
      return true
    }
    this.#setLoading(id, loading)
    try {
      const loaded = await load()
      if (end(null) && loaded) this.#state.setWindow(id, this.#state.joined(id, loaded.window))
    } catch (error) {
      end(failureOf(error))
    }
  }

  #setLoading(id: string, loading: Loading): void {
    this.#loading.set(id, loading)
    this.#changed(`messages ${id}`)
  }

  async #loadDeliveries(id: string): Promise<void> {
    const { data } = await this.#ask(documents.Members, { id, after: null }).catch(() => ({ data: null }))
    const members = data?.conversation?.members.nodes ?? []
    this.#state.setDelivered(
      id,
      members.map(({ user, deliveredSeq }) => ({ user, seq: deliveredSeq })),
    )
  }

  async #readBlocks(): Promise<void> {
    for (let attempt = 0; !this.#isClosed; attempt += 1) {
      const answer = await this.#ask(documents.BlockedUsers, {}).catch(failureOf)
      if (!(answer instanceof Error)) return this.#state.setBlocked(answer.data.blockedUsers.nodes.map(({ user }) => user.id))
      if (!answer.isRetryable) return
      await this.#pause.wait(backOffMs(attempt, retry))
    }
  }

  /** Reads a conversation again, soon, together with others. */
  #refresh(id: string): void {
    this.#stale.add(id)
    this.#refreshTimer ??= setTimeout(
      () => void this.#refreshNow(),
      this.#attempt === 0 ? gatherMs : backOffMs(this.#attempt, retry),
    )
  }

  async #refreshNow(): Promise<void> {
    const ids = [...this.#stale].slice(0, idsAtOnce)
    for (const id of ids) this.#stale.delete(id)
    try {
      const { data, place } = await this.#ask(documents.Conversations, { ids })
      this.#attempt = 0
      for (const [i, id] of ids.entries()) {
        const node = data.nodes[i]
        const isNew = !this.#state.conversations.has(id)
        if (node?.__typename === 'Conversation') this.#state.put(node, place)
        else this.#state.remove(id)
        if (isNew && node && this.#watched.has(id)) this.#loadWatched(id)
      }
    } catch (error) {
      this.#attempt += 1
      if (failureOf(error).isRetryable) for (const id of ids) this.#stale.add(id)
    }
    this.#refreshTimer = undefined
    const [next] = this.#stale
    if (next !== undefined && !this.#isClosed) this.#refresh(next)
  }

  async #ask<Data, Vars extends Variables>(
    document: Document<Data, Vars>,
    variables: Vars,
  ): Promise<{ data: Data; place: JournalPlace | null }> {
    const result = await this.client.execute(document, variables)
    if (result.errors || result.data == null) throw refusal(result.errors ?? [])
    return { data: result.data, place: placeOfAnswer(result) ?? placeOf(null) }
  }

  #evict(): void {
    for (const id of this.#shown) {
      if (this.#shown.size <= windowsMax) return
      if (this.#watched.has(id)) continue
      this.#shown.delete(id)
      this.#state.setWindow(id, null)
    }
  }

  #count(): Totals {
    const now = new Date().toISOString()
    const unread = this.list
      .map((id) => this.conversation(id))
      .filter((each) => each !== null && each.unreadCount > 0 && (each.viewerMembership?.mutedUntil ?? '') <= now)
    const sum = (count: (conversation: Conversation) => number) => unread.reduce((all, each) => all + (each ? count(each) : 0), 0)
    return { conversations: unread.length, messages: sum((c) => c.unreadCount), mentions: sum((c) => c.mentionCount) }
  }

  #changed(topic: Topic): void {
    if (topic.startsWith('messages ')) this.#lists.delete(topic.slice('messages '.length))
    if (topic === 'totals' || topic === 'list') this.#totals = null
    for (const listener of [...(this.#listeners.get(topic) ?? [])]) listener()
    if (topic === 'list') this.#changed('totals')
  }
}
