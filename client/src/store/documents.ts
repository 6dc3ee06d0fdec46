// Ready documents: what a chat shows, typed by codegen (`npm run generate`). An app may use them with any GraphQL client, or as a
// beginning for its own.

import type {
  BanMemberMutation,
  BanMemberMutationVariables,
  BlockedUsersQuery,
  BlockedUsersQueryVariables,
  ConversationPageQuery,
  ConversationPageQueryVariables,
  ConversationsQuery,
  ConversationsQueryVariables,
  EventsSubscription,
  EventsSubscriptionVariables,
  ForwardMessagesMutation,
  ForwardMessagesMutationVariables,
  HistoryAroundQuery,
  HistoryAroundQueryVariables,
  HistoryQuery,
  HistoryQueryVariables,
  MarkReadMutation,
  MarkReadMutationVariables,
  MarkUnreadMutation,
  MarkUnreadMutationVariables,
  MembersQuery,
  MembersQueryVariables,
  OverviewQuery,
  OverviewQueryVariables,
  PinConversationMutation,
  PinConversationMutationVariables,
  PresenceSubscription,
  PresenceSubscriptionVariables,
  ReportMessageMutation,
  ReportMessageMutationVariables,
  ReportUserMutation,
  ReportUserMutationVariables,
  SendSignalMutation,
  SendSignalMutationVariables,
  SetTypingMutation,
  SetTypingMutationVariables,
  SignalsSubscription,
  SignalsSubscriptionVariables,
  TypingSubscription,
  TypingSubscriptionVariables,
  UnbanMemberMutation,
  UnbanMemberMutationVariables,
  UnreadTotalsQuery,
  UnreadTotalsQueryVariables,
  VisiblePresenceQuery,
  VisiblePresenceQueryVariables,
} from '../generated/operations.ts'

/** A document as text, with the types of its answer and variables. */
export type TypedText<Data, Vars> = string & { readonly __apiType?: (variables: Vars) => Data }

const typed = <Data, Vars>(text: string) => text as TypedText<Data, Vars>

/** A user: names and picture. */
export const personParts = /* GraphQL */ `
  fragment PersonParts on User {
    id
    username
    displayName
    isDeleted
    avatar { id url thumbhash }
  }
`

/** An attachment, with the addresses of its file and of smaller pictures. */
export const attachmentParts = /* GraphQL */ `
  fragment AttachmentParts on Attachment {
    id
    kind
    state
    fileName
    contentType
    byteSize
    width
    height
    durationMs
    thumbhash
    url
    urlExpiresAt
    variants { url width height contentType }
  }
`

/** A message, with all that a screen shows of it. Every field is the same for all viewers, so that events execute once for all. */
export const messageParts = /* GraphQL */ `
  fragment MessageParts on Message {
    id
    seq
    kind
    text
    data
    version
    clientMessageId
    epoch
    createdAt
    editedAt
    deletedAt
    pinnedAt
    sender { ...PersonParts }
    mentions { id username displayName }
    replyTo { id seq text deletedAt sender { id displayName } }
    reactions { id emoji count viewerReacted users { id displayName } }
    attachments { ...AttachmentParts }
  }
`

/** A conversation with what a list shows of it. */
export const conversationParts = /* GraphQL */ `
  fragment ConversationParts on Conversation {
    id
    kind
    title
    description
    data
    encryption
    isClosed
    slowModeS
    announcementsOnly
    createdAt
    lastActivityAt
    memberCount
    avatar { id url thumbhash }
    otherUser { ...PersonParts }
    viewerMembership { id role mutedUntil archivedAt pushLevel pinnedAt markedUnreadAt }
    viewerCanAddMembers
    viewerCanRemoveMembers
    viewerCanEditConversation
    viewerCanManageInvites
    viewerCanDeleteOthersMessages
    viewerCanChangeRoles
    viewerCanHandOver
    viewerCanPin
    viewerCanSend
    unreadCount
    unreadCountIsExact
    mentionCount
    lastMessage { ...MessageParts }
    readMarkers { user { id } seq }
  }
`

const conversationFragments = personParts + attachmentParts + messageParts + conversationParts
const messageFragments = personParts + attachmentParts + messageParts

/** The first screen with all pinned conversations, and the cursor from which \`Events\` continues. */
export const Overview = typed<OverviewQuery, OverviewQueryVariables>(
  /* GraphQL */ `
    query Overview($first: Int!) {
      syncCursor
      viewer { ...PersonParts }
      blockedUsers(first: 100) { nodes { id user { id } } }
      conversations(first: $first, archived: null) {
        nodes { ...ConversationParts }
        pageInfo { hasNextPage endCursor }
      }
      pinned: conversations(first: 50, archived: null, pinned: true) { nodes { ...ConversationParts } }
    }
    ${conversationFragments}
  `,
)

/** The users that you have blocked. */
export const BlockedUsers = typed<BlockedUsersQuery, BlockedUsersQueryVariables>(/* GraphQL */ `
  query BlockedUsers {
    blockedUsers(first: 100) { nodes { id user { id } } }
  }
`)

/** A further page of the list of conversations. */
export const ConversationPage = typed<ConversationPageQuery, ConversationPageQueryVariables>(
  /* GraphQL */ `
    query ConversationPage($first: Int!, $after: String) {
      conversations(first: $first, after: $after, archived: null) {
        nodes { ...ConversationParts }
        pageInfo { hasNextPage endCursor }
      }
    }
    ${conversationFragments}
  `,
)

/** Some conversations by id; null for those that you are not a member of. */
export const Conversations = typed<ConversationsQuery, ConversationsQueryVariables>(
  /* GraphQL */ `
    query Conversations($ids: [ID!]!) {
      nodes(ids: $ids) { __typename ...ConversationParts }
    }
    ${conversationFragments}
  `,
)

/** A page of messages. */
export const History = typed<HistoryQuery, HistoryQueryVariables>(
  /* GraphQL */ `
    query History($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {
      conversation(id: $id) {
        id
        messages(first: $first, after: $after, last: $last, before: $before) {
          nodes { ...MessageParts }
          pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        }
      }
    }
    ${messageFragments}
  `,
)

/** A page of messages around a message, a seq or a time. */
export const HistoryAround = typed<HistoryAroundQuery, HistoryAroundQueryVariables>(
  /* GraphQL */ `
    query HistoryAround($id: ID!, $messageId: ID, $seq: Int, $at: DateTime, $before: Int, $after: Int) {
      conversation(id: $id) {
        id
        messagesAround(messageId: $messageId, seq: $seq, at: $at, before: $before, after: $after) {
          nodes { ...MessageParts }
          pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        }
      }
    }
    ${messageFragments}
  `,
)

/** The members of a conversation, and how far they have received messages. */
export const Members = typed<MembersQuery, MembersQueryVariables>(
  /* GraphQL */ `
    query Members($id: ID!, $after: String) {
      conversation(id: $id) {
        id
        members(first: 100, after: $after) {
          nodes { id role joinedAt deliveredSeq user { ...PersonParts } }
          pageInfo { hasNextPage endCursor }
        }
      }
    }
    ${personParts}
  `,
)

/** What is unread in all conversations. */
export const UnreadTotals = typed<UnreadTotalsQuery, UnreadTotalsQueryVariables>(/* GraphQL */ `
  query UnreadTotals {
    unreadTotals { conversations messages mentions }
  }
`)

/**
 * Every event that a chat shows. What depends on the viewer is not selected, so that the server executes an event once for all who hear
 * it: read a conversation again when it has changed.
 */
export const Events = typed<EventsSubscription, EventsSubscriptionVariables>(
  /* GraphQL */ `
    subscription Events($after: Cursor) {
      events(after: $after) {
        __typename
        cursor
        occurredAt
        ... on SyncStarted { mode reason }
        ... on MessageSent { conversation { id } message { ...MessageParts } }
        ... on MessageEdited { conversation { id } message { ...MessageParts } }
        ... on MessageDeleted { conversation { id } message { ...MessageParts } }
        ... on ReactionsChanged { conversation { id } message { ...MessageParts } }
        ... on PinsChanged { conversation { id } message { ...MessageParts } }
        ... on AttachmentChanged { conversation { id } message { ...MessageParts } }
        ... on MessageHidden { conversation { id } message { id seq } }
        ... on MessageUnhidden { conversation { id } message { id seq } }
        ... on ReadMarkersMoved { conversation { id } markers { id seq user { id } } }
        ... on DeliveryMarkersMoved { conversation { id } markers { id seq user { id } } }
        ... on ConversationAdded { conversation { id } }
        ... on ConversationUpdated { conversation { id } }
        ... on ConversationClosed { conversation { id } }
        ... on ConversationReopened { conversation { id } }
        ... on MembershipUpdated { conversation { id } }
        ... on InvitesChanged { conversation { id } }
        ... on MemberJoined { conversation { id } seq user { ...PersonParts } }
        ... on MemberUpdated { conversation { id } user { ...PersonParts } }
        ... on MemberLeft { conversation { id } user { id } }
        ... on UserUpdated { user { ...PersonParts } }
        ... on ContactChanged { user { id } }
        ... on BlockChanged { user { id } }
      }
    }
    ${messageFragments}
  `,
)

/** Marks messages as read. */
export const MarkRead = typed<MarkReadMutation, MarkReadMutationVariables>(/* GraphQL */ `
  mutation MarkRead($input: MarkReadInput!) {
    markRead(input: $input) { seq cursor }
  }
`)

/** Says whether you are typing. */
export const SetTyping = typed<SetTypingMutation, SetTypingMutationVariables>(/* GraphQL */ `
  mutation SetTyping($input: SetTypingInput!) {
    setTyping(input: $input) { __typename }
  }
`)

/** Who is typing in a conversation. */
export const Typing = typed<TypingSubscription, TypingSubscriptionVariables>(/* GraphQL */ `
  subscription Typing($id: ID!) {
    typing(conversationId: $id) { conversationId users { id displayName } }
  }
`)

/** Which users' presence you may see: null for the others. */
export const VisiblePresence = typed<VisiblePresenceQuery, VisiblePresenceQueryVariables>(/* GraphQL */ `
  query VisiblePresence($userIds: [ID!]!) {
    nodes(ids: $userIds) { __typename id ... on User { presence { id } } }
  }
`)

/** The presence of some users: NOT_FOUND if you may not see that of one of them. */
export const Presence = typed<PresenceSubscription, PresenceSubscriptionVariables>(/* GraphQL */ `
  subscription Presence($userIds: [ID!]!) {
    presence(userIds: $userIds) { id state lastActiveAt user { id } }
  }
`)

/** Sends copies of messages into conversations. */
export const ForwardMessages = typed<ForwardMessagesMutation, ForwardMessagesMutationVariables>(/* GraphQL */ `
  mutation ForwardMessages($input: ForwardMessagesInput!) {
    forwardMessages(input: $input) { messages { id } }
  }
`)

/** Pins a conversation to the top of your list, or unpins it. */
export const PinConversation = typed<PinConversationMutation, PinConversationMutationVariables>(/* GraphQL */ `
  mutation PinConversation($input: PinConversationInput!) {
    pinConversation(input: $input) { cursor }
  }
`)

/** Marks a conversation as unread, or takes the mark away. */
export const MarkUnread = typed<MarkUnreadMutation, MarkUnreadMutationVariables>(/* GraphQL */ `
  mutation MarkUnread($input: MarkUnreadInput!) {
    markUnread(input: $input) { cursor }
  }
`)

/** Reports a message to the moderators. */
export const ReportMessage = typed<ReportMessageMutation, ReportMessageMutationVariables>(/* GraphQL */ `
  mutation ReportMessage($input: ReportMessageInput!) {
    reportMessage(input: $input) { reportId }
  }
`)

/** Reports a user to the moderators. */
export const ReportUser = typed<ReportUserMutation, ReportUserMutationVariables>(/* GraphQL */ `
  mutation ReportUser($input: ReportUserInput!) {
    reportUser(input: $input) { reportId }
  }
`)

/** Removes a user from a group, and keeps them out. */
export const BanMember = typed<BanMemberMutation, BanMemberMutationVariables>(/* GraphQL */ `
  mutation BanMember($input: BanMemberInput!) {
    banMember(input: $input) { cursor }
  }
`)

/** Lifts a ban. */
export const UnbanMember = typed<UnbanMemberMutation, UnbanMemberMutationVariables>(/* GraphQL */ `
  mutation UnbanMember($input: UnbanMemberInput!) {
    unbanMember(input: $input) { cursor }
  }
`)

/** Sends a signal to all devices that watch those of a conversation. */
export const SendSignal = typed<SendSignalMutation, SendSignalMutationVariables>(/* GraphQL */ `
  mutation SendSignal($input: SendSignalInput!) {
    sendSignal(input: $input) { sentAt }
  }
`)

/** The signals of a conversation. */
export const Signals = typed<SignalsSubscription, SignalsSubscriptionVariables>(/* GraphQL */ `
  subscription Signals($id: ID!) {
    signals(conversationId: $id) { conversationId kind data sentAt sender { ...PersonParts } }
  }
  ${personParts}
`)
