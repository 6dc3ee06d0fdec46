// The data of the page: the answer of its snapshot with every event applied, and the unsent messages.

import { applyEvent, type OutboxMessage, type ParleyClient } from '../../client/src/client.ts'
import { Events, OneConversation, Overview } from './documents.ts'
import type {
  ConversationPartsFragment,
  EventsHereSubscription,
  MessagePartsFragment,
  OverviewHereQuery,
} from './generated/graphql.ts'

export type ShownConversation = ConversationPartsFragment
export type ShownMessage = MessagePartsFragment
type Event = EventsHereSubscription['events']

/** The state of the page. */
export class Model {
  readonly client: ParleyClient
  readonly #changed: () => void
  #data: OverviewHereQuery | null = null

  /** @param changed called after every change of the data */
  constructor(client: ParleyClient, changed: () => void) {
    this.client = client
    this.#changed = changed
  }

  /** Starts to follow events. `changed` may be called before this returns. */
  follow(): void {
    this.client.onState(this.#changed)
    this.client.outbox.onChange((message) => this.#sent(message))
    this.client.follow(Events, {
      after: null,
      snapshot: async () => {
        this.#data = await this.client.request(Overview, {})
        this.#changed()
        return this.#data.syncCursor
      },
      onEvent: (event) => this.#take(event),
    })
  }

  get viewer(): OverviewHereQuery['viewer'] | null {
    return this.#data?.viewer ?? null
  }

  /** All conversations, the one with the newest message first. */
  get conversations(): readonly ShownConversation[] {
    const lastAt = ({ messages }: ShownConversation) => messages.nodes?.at(-1)?.createdAt ?? ''
    return this.#all.toSorted((a, b) => lastAt(b).localeCompare(lastAt(a)))
  }

  /** The messages of a conversation that are not known from the server yet. */
  unsent(conversationId: string): readonly OutboxMessage[] {
    const known = this.#all.find(({ id }) => id === conversationId)?.messages.nodes ?? []
    const keys = new Set(known.map((message) => message?.clientMessageId))
    return this.client.outbox.messages.filter(
      ({ input, clientMessageId }) => input.conversationId === conversationId && !keys.has(clientMessageId),
    )
  }

  /** The title of a conversation, or the names of its other members. */
  titleOf({ title, members }: ShownConversation): string {
    const others = (members.nodes ?? []).flatMap((member) => (member && member.user.id !== this.viewer?.id ? [member.user] : []))
    return title ?? (others.map(({ displayName }) => displayName).join(', ') || 'Only you')
  }

  /** Adds or replaces a conversation. */
  put(conversation: ShownConversation): void {
    this.#set([...this.#all.filter(({ id }) => id !== conversation.id), conversation])
  }

  get #all(): readonly ShownConversation[] {
    return (this.#data?.conversations.nodes ?? []).flatMap((node) => (node ? [node] : []))
  }

  #set(nodes: readonly ShownConversation[]): void {
    if (!this.#data) return
    this.#data = { ...this.#data, conversations: { ...this.#data.conversations, nodes } }
    this.#changed()
  }

  async #take(event: Event): Promise<void> {
    if (event.__typename === 'ConversationAdded' || event.__typename === 'MemberJoined') {
      const { conversation } = await this.client.request(OneConversation, { id: event.conversation.id })
      if (conversation) this.put(conversation)
    } else if (event.__typename === 'MemberLeft' && event.user.id === this.viewer?.id) {
      this.#set(this.#all.filter(({ id }) => id !== event.conversation.id))
    } else {
      this.#apply(event)
    }
  }

  #apply(event: Parameters<typeof applyEvent>[1]): void {
    const before = this.#data
    this.#data = applyEvent(before, event)
    if (this.#data !== before) this.#changed()
  }

  /** Shows a message as sent once the server has answered; its event then changes nothing. */
  #sent({ sent, input, clientMessageId }: OutboxMessage): void {
    if (!sent) {
      this.#changed()
      return
    }
    const message: ShownMessage = {
      id: sent.messageId,
      seq: sent.seq,
      version: 1,
      text: input.text,
      clientMessageId,
      createdAt: sent.createdAt,
      editedAt: null,
      deletedAt: null,
      sender: this.viewer,
    }
    this.#apply({ __typename: 'MessageSent', message, conversation: { id: input.conversationId } })
    this.#changed()
  }
}
