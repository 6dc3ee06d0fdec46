// The operations of the law tests: everything that a device stores, as a snapshot and as events.

import { graphql } from '../support/generated/index.ts'

export const KeptMessage = graphql(`
  fragment KeptMessage on Message {
    id
    seq
    text
    ciphertext
    epoch
    data
    version
    editedAt
    deletedAt
    sender { id }
    replyTo { id }
    mentions { id }
    attachments { id state }
    reactions { emoji count viewerReacted users { id } }
    pinnedAt
    pinnedBy { id }
  }
`)
/** The settings of a group, and the fields that depend on the viewer. */
export const KeptSettings = graphql(`
  fragment KeptSettings on Conversation {
    title
    description
    data
    historyVisibility
    slowModeS
    announcementsOnly
    avatar { id }
    viewerMembership { role mutedUntil archivedAt pushLevel pinnedAt markedUnreadAt }
    viewerCanAddMembers
    viewerCanDeleteOthersMessages
    viewerCanHandOver
    viewerCanPin
    viewerCanSend
    invites(first: 5) { nodes { id uses } }
    bans(first: 5) { nodes { user { id } bannedBy { id } } }
  }
`)
export const KeptConversation = graphql(`
  fragment KeptConversation on Conversation {
    id
    kind
    isClosed
    lastActivityAt
    encryption
    epoch
    needsRekey
    groupInfo
    ...KeptSettings
    draft { text savedAt replyTo { id } }
    members(first: 20) { nodes { user { id } role deliveredSeq } }
    messages(last: 50) { nodes { ...KeptMessage } }
    pinnedMessages { id }
    readMarkers { user { id } seq }
  }
`)
export const KeptUser = graphql(`
  fragment KeptUser on User {
    id
    username
    displayName
    bio
    data
    isDeleted
    avatar { id }
    viewerContact { state }
    viewerHasBlocked
  }
`)
export const KeptDevice = graphql(`
  fragment KeptDevice on Device { id name signatureKey removedAt }
`)
export const KeptPushSettings = graphql(`
  fragment KeptPushSettings on PushSettings {
    level
    showsText
    timeZone
    quietHours { days from until }
    quietExceptDirect
    quietExceptMentions
  }
`)
export const KeptSession = graphql(`
  fragment KeptSession on Session {
    id
    push { provider platform registeredAt }
  }
`)
export const Whole = graphql(`
  query Whole($people: [ID!]!) {
    syncCursor
    messagePolicy presenceMode lastActiveVisibility
    nodes(ids: $people) { ...KeptUser }
    conversations(first: 4, archived: null) { nodes { ...KeptConversation unreadCount mentionCount } }
    sessions { ...KeptSession }
    viewer { devices(first: 10) { nodes { ...KeptDevice } } }
    pushSettings { ...KeptPushSettings }
  }
`)
export const Kept = graphql(`
  subscription Kept($after: Cursor) {
    events(after: $after) {
      __typename
      cursor
      occurredAt
      ... on SyncStarted { mode }
      ... on ConversationAdded { conversation { ...KeptConversation } }
      ... on ConversationUpdated { conversation { id ...KeptSettings } }
      ... on MembershipUpdated { conversation { id ...KeptSettings } }
      ... on DraftChanged { conversation { id draft { text savedAt replyTo { id } } } }
      ... on InvitesChanged { conversation { id ...KeptSettings } }
      ... on MemberJoined { conversation { id } user { id } member { role deliveredSeq } seq }
      ... on MemberLeft { conversation { id } user { id } }
      ... on MemberUpdated { conversation { id ...KeptSettings } user { id } member { role deliveredSeq } }
      ... on MessageSent { conversation { id } message { ...KeptMessage } }
      ... on MessageEdited { conversation { id } message { ...KeptMessage } }
      ... on MessageDeleted { conversation { id } message { ...KeptMessage } }
      ... on ReactionsChanged { conversation { id } message { ...KeptMessage } }
      ... on AttachmentChanged { conversation { id } message { ...KeptMessage } }
      ... on PinsChanged { conversation { id } message { ...KeptMessage } }
      ... on MessageHidden { conversation { id } message { id seq } }
      ... on MessageUnhidden { conversation { id } message { ...KeptMessage } }
      ... on ReadMarkersMoved { conversation { id } markers { user { id } seq } }
      ... on DeliveryMarkersMoved { conversation { id } markers { user { id } seq } }
      ... on EpochCommitted { conversation { id groupInfo } epoch commit device { id } }
      ... on WelcomeReceived { conversation { id } device { id } epoch welcome }
      ... on DevicesChanged { user { id } device { ...KeptDevice } change inConversation { id } }
      ... on SessionRevoked { session { id } }
      ... on PushSettingsChanged { pushSettings { ...KeptPushSettings } }
      ... on PushSubscriptionChanged { session { ...KeptSession } }
      ... on UserUpdated { user { ...KeptUser } }
      ... on ContactChanged { user { ...KeptUser } }
      ... on BlockChanged { user { ...KeptUser } }
      ... on MessagePolicyChanged { messagePolicy }
      ... on PresenceSettingsChanged { presenceMode lastActiveVisibility }
      ... on ConversationClosed { conversation { id isClosed } }
      ... on ConversationReopened { conversation { id isClosed } }
    }
  }
`)
export const EditMessage = graphql(`
  mutation EditMessage($input: EditMessageInput!) {
    editMessage(input: $input) { message { ...KeptMessage versions { version text } } cursor }
  }
`)
export const DeleteMessage = graphql(`
  mutation DeleteMessage($input: DeleteMessageInput!) {
    deleteMessage(input: $input) { message { ...KeptMessage versions { version } } cursor }
  }
`)
export const AddReaction = graphql(`
  mutation AddReaction($input: AddReactionInput!) {
    addReaction(input: $input) { message { ...KeptMessage } cursor }
  }
`)
export const RemoveReaction = graphql(`
  mutation RemoveReaction($input: RemoveReactionInput!) {
    removeReaction(input: $input) { message { ...KeptMessage } cursor }
  }
`)
export const MarkRead = graphql(`
  mutation MarkRead($input: MarkReadInput!) {
    markRead(input: $input) { conversation { id unreadCount mentionCount } seq cursor }
  }
`)
export const PinMessage = graphql(`
  mutation PinMessage($input: PinMessageInput!) {
    pinMessage(input: $input) { message { ...KeptMessage } cursor }
  }
`)
export const UnpinMessage = graphql(`
  mutation UnpinMessage($input: UnpinMessageInput!) {
    unpinMessage(input: $input) { message { ...KeptMessage } cursor }
  }
`)
export const HideMessage = graphql(`
  mutation HideMessage($input: HideMessageInput!) {
    hideMessage(input: $input) { message { id seq text } cursor }
  }
`)
export const SaveDraft = graphql(`
  mutation SaveDraft($input: SaveDraftInput!) {
    saveDraft(input: $input) { conversation { id draft { id text savedAt replyTo { id } } } cursor }
  }
`)
export const UnhideMessage = graphql(`
  mutation UnhideMessage($input: UnhideMessageInput!) {
    unhideMessage(input: $input) { message { id seq text } cursor }
  }
`)
