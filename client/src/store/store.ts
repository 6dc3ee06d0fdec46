// A store of what a chat shows: conversations, messages, unread counts, kept true by events. It loads what somebody watches, sends through
// the client's outbox, and may be kept on disk, so that an app opens with what it last knew and continues from there.

import type { ParleyClient } from '../client.ts'
import { failureOf, type ParleyFailure } from '../failure.ts'
import type { Following } from '../follow.ts'
import type { OutboxMessage } from '../outbox-message.ts'
import { StoreActions } from './actions.ts'
import { type Ask, askOf } from './ask.ts'
import * as documents from './documents.ts'
import { HistoryLoader, type HistoryPlace } from './history.ts'
import type { Message } from './message-window.ts'
import { dumpOf, restored, type StoreStorage } from './persistence.ts'
import { Retries } from './retries.ts'
import { type ContentChange, type MessageContents, shownPending } from './sealed.ts'
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
  /** Why the last attempt to load messages failed; null if it did not. With `isLoading`, it is repeated after a while. */
  readonly failure: ParleyFailure | null
}

/** What is unread in all conversations that are not muted. */
export type Totals = { readonly conversations: number; readonly messages: number; readonly mentions: number }

const listPageSize = 50
/** How long conversations that have changed are gathered before they are read again, in milliseconds. */
const gatherMs = 50
const idsAtOnce = 50
const saveEveryMs = 1_000
/** How many conversations keep their messages without being watched. */
const windowsMax = 30
/** Always the same, because React compares. */
const noMarkers: ReadonlyMap<string, number> = new Map()

/**
 * Opens a store on a client, which follows from then on.
 * @param storage keeps it between runs of the app
 * @param contents reads and writes encrypted messages: what `openEncryption` has opened
 */
export async function openStore(
  client: ParleyClient,
  storage: StoreStorage | null = null,
  contents: MessageContents | null = null,
): Promise<ParleyStore> {
  const store = new ParleyStore(client, storage)
  if (contents) store.readWith(contents)
  await store.begin()
  return store
}

/** A store. Make one with `openStore`. */
export class ParleyStore {
  readonly client: ParleyClient
  /** What the user does beside writing: pin, forward, report, ban. */
  readonly actions: StoreActions
  /**
   * Resolves once there is something to show: what was kept, or the first snapshot. Also if following ends before, with no viewer then.
   * Never rejects. Always the same promise, for `use` of React 19.
   */
  readonly ready: Promise<void>
  #isReady: () => void = () => undefined
  readonly #storage: StoreStorage | null
  readonly #state = new StoreState(
    (topic) => this.#changed(topic),
    (id) => this.#refresh(id),
    () => void this.#readBlocks().catch(() => undefined),
    (id, seq) => this.#reveal(id, seq),
  )
  readonly #listeners = new Map<string, Set<() => void>>()
  readonly #lists = new Map<string, MessageList>()
  readonly #watched = new Map<string, number>()
  /** Conversations whose messages were shown, the most recent one last. */
  readonly #shown = new Set<string>()
  readonly #stale = new Set<string>()
  readonly #unlisten: () => void
  #following: Following | null = null
  #cursor: string | null = null
  #refreshTimer: ReturnType<typeof setTimeout> | undefined
  #saveTimer: ReturnType<typeof setTimeout> | undefined
  readonly #retries = new Retries()
  readonly #ask: Ask
  readonly #history: HistoryLoader
  /** Read markers that the server does not have yet, by conversation. */
  readonly #marks = new Map<string, number>()
  #totals: Totals | null = null
  #contents: MessageContents | null = null
  #unlistenContents: () => void = () => undefined
  readonly #shownConversations = new WeakMap<Conversation, Conversation>()
  #isClosed = false

  constructor(client: ParleyClient, storage: StoreStorage | null) {
    this.client = client
    this.#storage = storage
    this.ready = new Promise((resolve) => {
      this.#isReady = resolve
    })
    this.#ask = askOf(client)
    this.actions = new StoreActions(this.#ask)
    const isWatched = (id: string) => this.#watched.has(id)
    const changed = (id: string) => this.#changed(`messages ${id}`)
    this.#history = new HistoryLoader(this.#state, this.#ask, this.#retries, isWatched, changed)
    this.#unlisten = client.outbox.onChange(({ input }) => this.#changed(`messages ${input.conversationId}`))
  }

  /** Restores what is kept, and follows. */
  async begin(): Promise<void> {
    const kept = await this.#storage?.load().catch(() => null)
    if (kept) {
      restored(this.#state, kept)
      this.#cursor = kept.cursor
      this.#isReady()
    }
    this.#following = this.client.follow(documents.Events, {
      after: this.#cursor,
      onEvent: (event) => {
        this.#state.apply(event)
        this.#reached(event.cursor)
      },
      snapshot: () => this.#snapshot(),
    })
    void this.#following.ended.then(() => this.#isReady())
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

  /** The IDs of the known conversations, pinned ones first, then by the most recent activity: the same array until it changes. */
  get list(): readonly string[] {
    return this.#state.list
  }

  /** Whether there are more conversations than the known ones. */
  get hasMore(): boolean {
    return this.#state.nextPage !== null
  }

  conversation(id: string): Conversation | null {
    const conversation = this.#state.conversation(id)
    return conversation?.lastMessage?.epoch == null || !this.#contents ? conversation : this.#shownIn(conversation)
  }

  /** Shows encrypted messages with their contents from now on, and encrypts what is sent to encrypted conversations. */
  readWith(contents: MessageContents): void {
    this.#unlistenContents()
    this.#contents = contents
    this.#unlistenContents = contents.onContents((id) => {
      this.#changed(`messages ${id}`)
      this.#changed(`conversation ${id}`)
    })
    for (const id of this.list) {
      this.#changed(`messages ${id}`)
      this.#changed(`conversation ${id}`)
    }
  }

  /** How far each member has read, by user. */
  readMarkers(id: string): ReadonlyMap<string, number> {
    return this.#state.conversations.get(id)?.read ?? noMarkers
  }

  /** What was delivered to each member, by user; loaded while the conversation is watched. */
  deliveryMarkers(id: string): ReadonlyMap<string, number> {
    return this.#state.conversations.get(id)?.delivered ?? noMarkers
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
    const { isLoading, failure } = this.#history.loading(id)
    const sent = new Set(window?.messages.map(({ clientMessageId }) => clientMessageId))
    const list: MessageList = {
      messages: this.#shownMessages(id, window?.messages ?? []),
      pending: this.client.outbox.messages
        .filter(({ input, clientMessageId }) => input.conversationId === id && !sent.has(clientMessageId))
        .flatMap((message) => shownPending(message) ?? []),
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

  /** Loads the messages before the loaded ones. Like all loading, it is repeated until it succeeds, and does not throw. */
  loadOlder(id: string): Promise<void> {
    return this.#history.older(id)
  }

  /** Loads the messages after the loaded ones. */
  loadNewer(id: string): Promise<void> {
    return this.#history.newer(id)
  }

  /** Shows the messages around a place, in place of the loaded ones. */
  showAround(id: string, place: HistoryPlace): Promise<void> {
    return this.#history.around(id, place)
  }

  /** Shows the newest messages, in place of the loaded ones. */
  showNewest(id: string): Promise<void> {
    return this.#history.newest(id)
  }

  /** Loads a further page of conversations. */
  async loadMore(): Promise<void> {
    const after = this.#state.nextPage
    if (after === null) return
    const { data, place } = await this.#ask(documents.ConversationPage, { first: listPageSize, after })
    if (this.#state.nextPage === after) this.#state.putPage(data.conversations, place)
  }

  /** Loads the messages again where one has come back. */
  #reveal(id: string, seq: number): void {
    if (!this.#watched.has(id)) this.#state.setWindow(id, null)
    else if (this.#state.conversations.get(id)?.window?.hasNewer) void this.showAround(id, { seq })
    else void this.showNewest(id)
  }

  /** Sends a message. It shows as pending at once, and is sent even if the app restarts, if the outbox is kept. */
  send(input: Parameters<ParleyClient['send']>[0]): ReturnType<ParleyClient['send']> {
    const isEncrypted = this.#state.conversation(input.conversationId)?.encryption === 'MLS'
    if (!isEncrypted) return this.client.send(input)
    if (!this.#contents) throw new TypeError('Open encryption first: this conversation is encrypted.')
    return this.#contents.send(input)
  }

  /** Changes a message of an encrypted conversation. @throws TypeError before encryption is open */
  change(id: string, content: ContentChange): ReturnType<ParleyClient['send']> {
    if (!this.#contents) throw new TypeError('Open encryption first: this conversation is encrypted.')
    return this.#contents.change(id, content)
  }

  /** Marks everything up to a seq as read: here at once, and on the server as soon as it answers. */
  async markRead(id: string, seq: number): Promise<void> {
    const known = this.#state.conversations.get(id)
    if (!known || seq <= known.unread.readSeq) return
    this.#marks.set(id, seq)
    this.#state.markRead(id, seq)
    const isLatest = () => this.#marks.get(id) === seq
    const input = { conversationId: id, seq }
    await this.#retries.run(() => this.#ask(documents.MarkRead, { input }), isLatest).catch(() => this.#refresh(id))
    if (isLatest()) this.#marks.delete(id)
  }

  /** Stops following, and saves. The client stays open. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#following?.stop()
    this.#unlisten()
    this.#unlistenContents()
    this.#retries.close()
    clearTimeout(this.#refreshTimer)
    await this.#save()
    await this.#storage?.close()
  }

  #shownMessages(id: string, messages: readonly Message[]): readonly Message[] {
    const contents = this.#contents
    if (!contents || messages.every(({ epoch }) => epoch == null)) return messages
    return messages.flatMap((message) => contents.show(id, message, this.viewer?.id ?? null) ?? [])
  }

  /** A conversation with the content of its last message: the same object until one of them changes. */
  #shownIn(conversation: Conversation): Conversation {
    const { lastMessage } = conversation
    const shown = lastMessage && (this.#contents?.show(conversation.id, lastMessage, this.viewer?.id ?? null) ?? lastMessage)
    const before = this.#shownConversations.get(conversation)
    if (before && before.lastMessage === shown) return before
    const view = { ...conversation, lastMessage: shown ?? null }
    this.#shownConversations.set(conversation, view)
    return view
  }

  async #snapshot(): Promise<string> {
    const { data } = await this.#ask(documents.Overview, { first: listPageSize })
    this.#state.begin(data)
    for (const [id, seq] of this.#marks) this.#state.markRead(id, seq)
    this.#reached(data.syncCursor)
    this.#isReady()
    for (const id of this.#watched.keys()) this.#loadWatched(id)
    return data.syncCursor
  }

  /** Loads what is shown of a watched conversation. One that is not known yet is read first: it may be beyond the loaded list. */
  #loadWatched(id: string): void {
    const known = this.#state.conversations.get(id)
    if (!known) this.#refresh(id)
    else if (!known.window && !this.#history.loading(id).isLoading) void this.showNewest(id)
    if (known) this.#loadDeliveries(id).catch(() => undefined)
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

  async #loadDeliveries(id: string): Promise<void> {
    const { data } = await this.#retries.run(
      () => this.#ask(documents.Members, { id, after: null }),
      () => this.#watched.has(id),
    )
    const members = data.conversation?.members.nodes ?? []
    this.#state.setDelivered(
      id,
      members.map(({ user, deliveredSeq }) => ({ user, seq: deliveredSeq })),
    )
  }

  async #readBlocks(): Promise<void> {
    const { data } = await this.#retries.run(() => this.#ask(documents.BlockedUsers, {}))
    this.#state.setBlocked(data.blockedUsers.nodes.map(({ user }) => user.id))
  }

  /** Reads a conversation again, soon, together with others. */
  #refresh(id: string): void {
    this.#stale.add(id)
    this.#refreshTimer ??= setTimeout(() => void this.#refreshAll(), gatherMs)
  }

  async #refreshAll(): Promise<void> {
    while (this.#stale.size > 0 && !this.#isClosed) await this.#retries.run(() => this.#refreshSome()).catch(() => undefined)
    this.#refreshTimer = undefined
  }

  async #refreshSome(): Promise<void> {
    const ids = [...this.#stale].slice(0, idsAtOnce)
    for (const id of ids) this.#stale.delete(id)
    const { data, place } = await this.#ask(documents.Conversations, { ids }).catch((error: unknown) => {
      if (failureOf(error).isRetryable) for (const id of ids) this.#stale.add(id)
      throw error
    })
    for (const [i, id] of ids.entries()) {
      const node = data.nodes[i]
      const isNew = !this.#state.conversations.has(id)
      if (node?.__typename === 'Conversation') this.#state.put(node, place)
      else this.#state.remove(id)
      if (isNew && node && this.#watched.has(id)) this.#loadWatched(id)
    }
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
