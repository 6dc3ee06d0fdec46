// What the page knows: the answer of its snapshot, with every event applied, and what is still on its way.

import { applyEvent, type OutboxMessage, type ParleyClient } from '../client/client.ts'
import { Events, OneConversation, Overview } from './documents.ts'
import type {
  ConversationPartsFragment,
  EventsHereSubscription,
  MessagePartsFragment,
  OverviewHereQuery,
} from './generated/graphql.ts'

export type Conversation = ConversationPartsFragment
export type Message = MessagePartsFragment
type Event = EventsHereSubscription['events']

/** The state of the page. */
export class Model {
  readonly client: ParleyClient
  readonly #changed: () => void
  #data: OverviewHereQuery | null = null

  /** @param changed told after every change of what is to be shown */
  constructor(client: ParleyClient, changed: () => void) {
    this.client = client
    this.#changed = changed
    client.onState(changed)
    client.outbox.onChange((message) => this.#sent(message))
    client.follow(Events, {
      after: null,
      snapshot: async () => {
        this.#data = await client.request(Overview, {})
        changed()
        return this.#data.syncCursor
      },
      onEvent: (event) => this.#take(event),
    })
  }

  get viewer(): OverviewHereQuery['viewer'] | null {
    return this.#data?.viewer ?? null
  }

  /** All conversations, the one in which somebody wrote last first. */
  get conversations(): readonly Conversation[] {
    const lastAt = ({ messages }: Conversation) => messages.nodes?.at(-1)?.createdAt ?? ''
    return this.#all.toSorted((a, b) => lastAt(b).localeCompare(lastAt(a)))
  }

  /** The messages of a conversation that are not sent yet. */
  unsent(conversationId: string): readonly OutboxMessage[] {
    return this.client.outbox.messages.filter(({ input }) => input.conversationId === conversationId)
  }

  /** How a conversation is called by whoever looks. */
  titleOf({ title, members }: Conversation): string {
    const others = (members.nodes ?? []).flatMap((member) => (member && member.user.id !== this.viewer?.id ? [member.user] : []))
    return title ?? (others.map(({ displayName }) => displayName).join(', ') || 'Only you')
  }

  /** Puts a conversation in place, new or as it is now. */
  put(conversation: Conversation): void {
    this.#set([...this.#all.filter(({ id }) => id !== conversation.id), conversation])
  }

  get #all(): readonly Conversation[] {
    return (this.#data?.conversations.nodes ?? []).flatMap((node) => (node ? [node] : []))
  }

  #set(nodes: readonly Conversation[]): void {
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

  /** A message is shown as sent from its answer on; the event that brings it again changes nothing. */
  #sent({ sent, input, clientMessageId }: OutboxMessage): void {
    if (!sent) {
      this.#changed()
      return
    }
    const message: Message = {
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
