// The events of the peers, with the size and the form of Parley's.

/** A message of a typical length; its fact has just under 400 bytes. */
export function textOf(label: string): string {
  return `${label} and the rest of a message as people write it`.slice(0, 36)
}

/** An event of a peer, in the form of Parley's. */
export type PeerEvent = {
  readonly __typename: 'MessageSent'
  readonly cursor: string
  readonly occurredAt: string
  readonly message: {
    readonly id: string
    readonly seq: number
    readonly text: string
    readonly createdAt: string
    readonly sender: { readonly id: string; readonly displayName: string }
    readonly conversation: { readonly id: string }
  }
}

/** The event of a message. */
export function eventOf(seq: number, text: string): PeerEvent {
  const now = new Date().toISOString()
  const id = seq.toString(36).padStart(13, '0')
  return {
    __typename: 'MessageSent',
    cursor: `AQ${id.padStart(26, 'x')}`,
    occurredAt: now,
    message: {
      id: `msg_${id}`,
      seq,
      text,
      createdAt: now,
      sender: { id: 'usr_0000000000001', displayName: 'Person 1' },
      conversation: { id: 'cnv_0000000000001' },
    },
  }
}

/** The frame with an event, as in graphql-transport-ws. */
export function frameOf(event: PeerEvent): string {
  return JSON.stringify({ id: '00000000-0000-0000-0000-000000000000', type: 'next', payload: { data: { events: event } } })
}

/** The schema of the peers that speak GraphQL. */
export const peerTypes = `
  type Query { ok: Boolean }
  interface Event { cursor: String! occurredAt: String! }
  type MessageSent implements Event { cursor: String! occurredAt: String! message: Message! }
  type Message { id: ID! seq: Int! text: String! createdAt: String! sender: User! conversation: Conversation! }
  type User { id: ID! displayName: String! }
  type Conversation { id: ID! }
  input SendMessageInput { conversationId: Int! senderId: Int! text: String! }
  type SendMessagePayload { message: Message! }
  type Mutation { sendMessage(input: SendMessageInput!): SendMessagePayload! }
  type Subscription { events: Event! messageSent(conversationId: Int!): MessageSent! }
`
