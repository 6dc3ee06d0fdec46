// The operations that Parley and its peers are asked for: the same fields of each.

/** What a device subscribes to. */
export const events = `subscription Events($after: Cursor) { events(after: $after) { __typename cursor occurredAt
  ... on MessageSent { message { id seq text createdAt sender { id displayName } conversation { id } } } } }`

/** The same of a peer, which has no cursors to begin at. */
export const peerEvents = events.replace('($after: Cursor)', '').replace('(after: $after)', '')

/** The same of a peer, of one conversation. */
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
