// What users do beside writing. Each action is one request; what it changes comes by events. All but signals may be repeated.

import { uuidv7 } from '../uuid.ts'
import type { Ask } from './ask.ts'
import * as documents from './documents.ts'

/** The actions of a store's user. */
export class StoreActions {
  readonly #ask: Ask

  constructor(ask: Ask) {
    this.#ask = ask
  }

  /**
   * Sends copies of messages into conversations: 1 to 20 of each, and at most 100 copies. If one fails, those before it are sent.
   * @param key a UUID; give it again to repeat a forwarding that failed, and no copy is sent twice
   * @throws ParleyFailure with the argument of the conversation
   */
  async forward(messageIds: readonly string[], conversationIds: readonly string[], key: string = uuidv7()): Promise<void> {
    const input = { messageIds: [...messageIds], conversationIds: [...conversationIds], clientMessageId: key }
    await this.#ask(documents.ForwardMessages, { input })
  }

  /** Pins a conversation to the top of the list, or unpins it. @throws ParleyFailure LIMIT_EXCEEDED with more than 50 */
  async pinConversation(conversationId: string, pinned: boolean): Promise<void> {
    await this.#ask(documents.PinConversation, { input: { conversationId, pinned } })
  }

  /** Marks a conversation as unread, or takes the mark away, as when the user opens it. It changes no count. @throws ParleyFailure */
  async markUnread(conversationId: string, unread: boolean): Promise<void> {
    await this.#ask(documents.MarkUnread, { input: { conversationId, unread } })
  }

  /** Reports a message to the moderators of the server. Nobody else learns of it. @throws ParleyFailure */
  async reportMessage(messageId: string, reason: string): Promise<void> {
    await this.#ask(documents.ReportMessage, { input: { messageId, reason } })
  }

  /** Reports a user to the moderators of the server. Nobody else learns of it. @throws ParleyFailure */
  async reportUser(userId: string, reason: string): Promise<void> {
    await this.#ask(documents.ReportUser, { input: { userId, reason } })
  }

  /** Removes a user from a group, and keeps them out until `unban`. @throws ParleyFailure FORBIDDEN if one may not remove members */
  async ban(conversationId: string, userId: string): Promise<void> {
    await this.#ask(documents.BanMember, { input: { conversationId, userId } })
  }

  /** Lifts a ban. The user does not become a member by it. @throws ParleyFailure */
  async unban(conversationId: string, userId: string): Promise<void> {
    await this.#ask(documents.UnbanMember, { input: { conversationId, userId } })
  }

  /**
   * Sends a signal to the devices that watch those of a conversation at this moment (`useSignals`), but not to this one.
   * It may be lost.
   * @param kind what it is about: 1 to 50 letters, digits, `.`, `_` or `-`
   * @param data at most 1,024 bytes of JSON
   * @throws ParleyFailure
   */
  async sendSignal(conversationId: string, kind: string, data: unknown = null): Promise<void> {
    await this.#ask(documents.SendSignal, { input: { conversationId, kind, data } })
  }
}
