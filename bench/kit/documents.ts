// The operations for Parley and its peers, with the same fields.

/** The subscription of a device. */
export const events = `subscription Events($after: Cursor) { events(after: $after) { __typename cursor occurredAt
  ... on MessageSent { message { id seq text createdAt sender { id displayName } conversation { id } } } } }`

/** The same for a peer, without cursors. */
export const peerEvents = events.replace('($after: Cursor)', '').replace('(after: $after)', '')

/** The same for a peer, for one conversation. */
export const peerConversation = `subscription Sent($conversationId: Int!) { messageSent(conversationId: $conversationId) { __typename cursor occurredAt
  message { id seq text createdAt sender { id displayName } conversation { id } } } }`

/** A send. */
export const sendMessage = `mutation Send($input: SendMessageInput!) { sendMessage(input: $input) {
  message { id text createdAt sender { id displayName } } } }`

/** A page of history. */
export const history = `query History($id: ID!) { conversation(id: $id) { id title
  messages(last: 50) { pageInfo { hasPreviousPage startCursor endCursor }
    edges { cursor node { id seq text createdAt editedAt deletedAt clientMessageId sender { id displayName } } } } } }`

/** A page of the list of conversations. */
export const conversations = `query Conversations { conversations(first: 50) { pageInfo { hasNextPage endCursor }
  edges { cursor node { id kind title memberCount unreadCount lastMessage { id seq text createdAt sender { id displayName } } } } } }`
