// The settings of GraphiQL at /graphql: its first tabs lead through a first conversation, one step each.

import type { GraphiQLOptions } from 'graphql-yoga'

const headers = JSON.stringify({ Authorization: 'Bearer PASTE_AN_ACCESS_TOKEN_HERE' }, null, 2)

const tabs: readonly { query: string; variables?: Record<string, unknown>; isPublic?: true }[] = [
  {
    isPublic: true,
    query: `# 1. Log in, then copy the accessToken into the headers (below, "Headers") of the other tabs.
mutation LogIn {
  logIn(input: { username: "alice", password: "password", deviceName: "GraphiQL" }) {
    accessToken
    refreshToken
    expiresAt
    viewer { id username displayName }
  }
}`,
  },
  {
    query: `# 2. Find a user.
query FindUser($username: String!) {
  viewer { id username }
  user(username: $username) { id displayName }
}`,
    variables: { username: 'bob' },
  },
  {
    query: `# 3. Start a direct conversation with that user, or get the one that you already have.
mutation StartDirectConversation($input: StartDirectConversationInput!) {
  startDirectConversation(input: $input) {
    conversation { id kind memberCount }
    cursor
  }
}`,
    variables: { input: { userId: 'usr_0000000000002' } },
  },
  {
    query: `# 4. Follow everything that happens. Leave this running; log in as bob in another window and write to alice.
subscription Events($after: Cursor) {
  events(after: $after) {
    __typename
    cursor
    ... on SyncStarted { mode reason }
    ... on CaughtUp { count }
    ... on MessageSent { message { id seq text sender { username } conversation { id } } }
    ... on ConversationAdded { conversation { id kind title } }
    ... on MemberJoined { conversation { id } user { username } }
  }
}`,
    variables: { after: null },
  },
  {
    query: `# 5. Send a message. Use a new UUID for each message; a repeated one returns the first message.
mutation SendMessage($input: SendMessageInput!) {
  sendMessage(input: $input) {
    message { id seq text createdAt clientMessageId }
    cursor
  }
}`,
    variables: {
      input: {
        conversationId: 'cnv_0000000000001',
        clientMessageId: '0199f3a0-0000-7000-8000-000000000001',
        text: 'Hello from GraphiQL',
      },
    },
  },
  {
    query: `# 6. Read it all again in one snapshot. Pass syncCursor as "after" to events, and you miss nothing in between.
query Overview {
  syncCursor
  conversations(first: 20) {
    nodes {
      id
      kind
      title
      members(first: 10) { nodes { user { username } role } }
      messages(last: 20) { nodes { seq text createdAt sender { username } } }
    }
  }
}`,
  },
  {
    query: `# 7. Create a group.
mutation CreateGroup($input: CreateGroupInput!) {
  createGroup(input: $input) {
    conversation { id title memberCount viewerMembership { role } }
  }
}`,
    variables: { input: { title: 'Lunch', memberIds: ['usr_0000000000002', 'usr_0000000000003'] } },
  },
  {
    query: `# 8. List the devices where you are logged in; end a session with revokeSession.
query Sessions {
  sessions { id deviceName createdAt lastUsedAt isCurrent }
}`,
  },
]

/** GraphiQL's settings. It works without a network: the page contains everything. */
export const graphiqlOptions: GraphiQLOptions = {
  title: 'Parley',
  subscriptionsProtocol: 'WS',
  shouldPersistHeaders: true,
  defaultEditorToolsVisibility: 'headers',
  defaultTabs: tabs.map(({ query, variables, isPublic }) => ({
    query,
    variables: variables ? JSON.stringify(variables, null, 2) : null,
    headers: isPublic ? null : headers,
  })),
}

/** Renders GraphiQL's page. Its module has 9 MB and is loaded on first use. */
export async function renderGraphiQL(options?: GraphiQLOptions): Promise<string> {
  const { renderGraphiQL: render } = await import('@graphql-yoga/render-graphiql')
  // The tabs have a stale offset, and would jump away from the first click.
  return render(options).replace('</style>', '.graphiql-tab { transform: none !important }</style>')
}
