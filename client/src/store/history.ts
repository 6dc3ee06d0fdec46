// Loads the messages of conversations: the newest, further ones at both ends, or those around a place.

import { failureOf, type ParleyFailure } from '../failure.ts'
import type { Ask } from './ask.ts'
import * as documents from './documents.ts'
import { type MessagePage, type MessageWindow, windowOf, withNewer, withOlder } from './message-window.ts'
import type { Retries } from './retries.ts'
import type { StoreState } from './state.ts'

/** A place in the history of a conversation. */
export type HistoryPlace = { readonly messageId: string } | { readonly seq: number } | { readonly at: string }

/** Whether messages are being loaded, and why the last attempt failed; null if it did not. */
export type Loading = { readonly isLoading: boolean; readonly failure: ParleyFailure | null }

const pageSize = 50
const idle: Loading = { isLoading: false, failure: null }

/** Loads messages into the state of a store. What fails is repeated while the conversation is watched. */
export class HistoryLoader {
  readonly #state: StoreState
  readonly #ask: Ask
  readonly #retries: Retries
  readonly #isWatched: (id: string) => boolean
  readonly #changed: (id: string) => void
  readonly #loading = new Map<string, Loading>()

  /** @param isWatched whether to repeat what failed @param changed called when `loading` of a conversation has changed */
  constructor(state: StoreState, ask: Ask, retries: Retries, isWatched: (id: string) => boolean, changed: (id: string) => void) {
    this.#state = state
    this.#ask = ask
    this.#retries = retries
    this.#isWatched = isWatched
    this.#changed = changed
  }

  /** What is under way for a conversation. */
  loading(id: string): Loading {
    return this.#loading.get(id) ?? idle
  }

  /** Loads the messages before the loaded ones. */
  async older(id: string): Promise<void> {
    const window = this.#state.conversations.get(id)?.window
    const [first] = window?.messages ?? []
    if (!window?.hasOlder || !first) return
    await this.#around(id, { seq: first.seq - 1 }, withOlder, { before: pageSize - 1, after: 0 })
  }

  /** Loads the messages after the loaded ones. */
  async newer(id: string): Promise<void> {
    const window = this.#state.conversations.get(id)?.window
    if (!window?.hasNewer) return
    const seq = (window.messages.at(-1)?.seq ?? 0) + 1
    await this.#around(id, { seq }, withNewer, { before: 0, after: pageSize - 1 })
  }

  /** Loads the messages around a place, in place of the loaded ones. */
  async around(id: string, place: HistoryPlace): Promise<void> {
    await this.#around(id, place, (_now, page) => windowOf(page), { before: null, after: null }, true)
  }

  /** Loads the newest messages, in place of the loaded ones. */
  async newest(id: string): Promise<void> {
    const load = async () => {
      const { data, place } = await this.#ask(documents.History, { id, last: pageSize, first: null, after: null, before: null })
      const messages = data.conversation?.messages
      return messages ? windowOf(this.#state.recent.brought(messages, place)) : null
    }
    await this.#load(id, load, true)
  }

  #around(
    id: string,
    place: HistoryPlace,
    merge: (now: MessageWindow, page: MessagePage) => MessageWindow,
    size: { readonly before: number | null; readonly after: number | null },
    isJump = false,
  ): Promise<void> {
    const load = async () => {
      const none = { messageId: null, seq: null, at: null }
      const { data, place: at } = await this.#ask(documents.HistoryAround, { ...none, ...place, id, ...size })
      const page = data.conversation?.messagesAround
      const now = this.#state.conversations.get(id)?.window ?? { messages: [], hasOlder: true, hasNewer: true }
      return page ? merge(now, this.#state.recent.brought(page, at)) : null
    }
    return this.#load(id, load, isJump)
  }

  /** Loads one page at a time. A jump does not wait for the page that is under way, which it makes useless. */
  async #load(id: string, load: () => Promise<MessageWindow | null>, isJump: boolean): Promise<void> {
    const before = this.#loading.get(id)
    if (before?.isLoading && !isJump) {
      // It may be waiting for a repeat.
      if (before.failure) this.#retries.hurry()
      return
    }
    let now: Loading = { isLoading: true, failure: null }
    const isLatest = () => this.#loading.get(id) === now
    const set = (loading: Loading) => {
      now = loading
      this.#loading.set(id, loading)
      this.#changed(id)
    }
    set(now)
    const attempt = () =>
      load().catch((error: unknown) => {
        const failure = failureOf(error)
        if (isLatest()) set({ isLoading: failure.isRetryable, failure })
        throw failure
      })
    try {
      const window = await this.#retries.run(attempt, () => isLatest() && this.#isWatched(id))
      if (!isLatest()) return
      set(idle)
      if (window) this.#state.setWindow(id, this.#state.recent.joined(id, window))
    } catch (error) {
      if (isLatest()) set({ isLoading: false, failure: failureOf(error) })
    }
  }
}
