// The operations that the store of `parley-client/react` does not have. Codegen makes the types in ./generated from them.

import { graphql } from './generated/index.ts'

export const LogIn = graphql(`
  mutation LogIn($input: LogInInput!) {
    logIn(input: $input) { accessToken refreshToken expiresAt viewer { id } }
  }
`)
export const SignUp = graphql(`
  mutation SignUp($input: SignUpInput!) {
    signUp(input: $input) { accessToken refreshToken expiresAt viewer { id } }
  }
`)
export const FindUser = graphql(`
  query FindUser($username: String!) {
    user(username: $username) { id username displayName }
  }
`)
export const StartDirectConversation = graphql(`
  mutation StartDirectConversation($input: StartDirectConversationInput!) {
    startDirectConversation(input: $input) { conversation { id } }
  }
`)
export const CreateGroup = graphql(`
  mutation CreateGroup($input: CreateGroupInput!) {
    createGroup(input: $input) { conversation { id } }
  }
`)
export const EditMessage = graphql(`
  mutation EditMessage($input: EditMessageInput!) {
    editMessage(input: $input) { message { id } }
  }
`)
export const DeleteMessage = graphql(`
  mutation DeleteMessage($input: DeleteMessageInput!) {
    deleteMessage(input: $input) { message { id } }
  }
`)
export const HideMessage = graphql(`
  mutation HideMessage($input: HideMessageInput!) {
    hideMessage(input: $input) { message { id } }
  }
`)
export const PinMessage = graphql(`
  mutation PinMessage($input: PinMessageInput!) {
    pinMessage(input: $input) { message { id } }
  }
`)
export const UnpinMessage = graphql(`
  mutation UnpinMessage($input: UnpinMessageInput!) {
    unpinMessage(input: $input) { message { id } }
  }
`)
export const PinnedMessages = graphql(`
  query PinnedMessages($id: ID!) {
    conversation(id: $id) {
      id
      pinnedMessages { id text createdAt sender { id displayName } attachments { id fileName } }
    }
  }
`)
export const MentionedMembers = graphql(`
  query MentionedMembers($id: ID!, $query: String) {
    conversation(id: $id) {
      id
      members(first: 7, query: $query) { nodes { id user { id username displayName avatar { id url } } } }
    }
  }
`)
export const MessageAt = graphql(`
  query MessageAt($id: ID!, $at: DateTime!) {
    conversation(id: $id) {
      id
      messagesAround(at: $at, before: 1, after: 1) { nodes { id createdAt } }
    }
  }
`)
export const AddReaction = graphql(`
  mutation AddReaction($input: AddReactionInput!) {
    addReaction(input: $input) { message { id } }
  }
`)
export const RemoveReaction = graphql(`
  mutation RemoveReaction($input: RemoveReactionInput!) {
    removeReaction(input: $input) { message { id } }
  }
`)
export const FileAddress = graphql(`
  query FileAddress($id: ID!) {
    node(id: $id) { __typename ... on Attachment { id url variants { url width } } }
  }
`)
export const CreateUpload = graphql(`
  mutation CreateUpload($input: CreateUploadInput!) {
    createUpload(input: $input) { attachment { id } upload { url method headers } }
  }
`)
export const SearchMessages = graphql(`
  query SearchMessages($query: String!, $conversationId: ID, $after: String) {
    searchMessages(query: $query, conversationId: $conversationId, first: 20, after: $after) {
      nodes { id seq text createdAt sender { id displayName } conversation { id title otherUser { id displayName } } }
      pageInfo { hasNextPage endCursor }
    }
  }
`)
export const MuteConversation = graphql(`
  mutation MuteConversation($input: MuteConversationInput!) {
    muteConversation(input: $input) { conversation { id } }
  }
`)
export const ArchiveConversation = graphql(`
  mutation ArchiveConversation($input: ArchiveConversationInput!) {
    archiveConversation(input: $input) { conversation { id } }
  }
`)
export const UpdateConversation = graphql(`
  mutation UpdateConversation($input: UpdateConversationInput!) {
    updateConversation(input: $input) { conversation { id } }
  }
`)
export const AddMembers = graphql(`
  mutation AddMembers($input: AddMembersInput!) {
    addMembers(input: $input) { conversation { id } }
  }
`)
export const RemoveMember = graphql(`
  mutation RemoveMember($input: RemoveMemberInput!) {
    removeMember(input: $input) { conversation { id } }
  }
`)
export const SetMemberRole = graphql(`
  mutation SetMemberRole($input: SetMemberRoleInput!) {
    setMemberRole(input: $input) { conversation { id } }
  }
`)
export const LeaveConversation = graphql(`
  mutation LeaveConversation($input: LeaveConversationInput!) {
    leaveConversation(input: $input) { __typename }
  }
`)
export const Bans = graphql(`
  query Bans($id: ID!) {
    conversation(id: $id) { id bans(first: 100) { nodes { user { id username displayName } } } }
  }
`)
export const Invites = graphql(`
  query Invites($id: ID!) {
    conversation(id: $id) {
      id
      invites(first: 100) { nodes { id token uses maxUses expiresAt revokedAt } }
    }
  }
`)
export const CreateInvite = graphql(`
  mutation CreateInvite($input: CreateInviteInput!) {
    createInvite(input: $input) { invite { id token } }
  }
`)
export const RevokeInvite = graphql(`
  mutation RevokeInvite($input: RevokeInviteInput!) {
    revokeInvite(input: $input) { invite { id } }
  }
`)
export const PreviewInvite = graphql(`
  query PreviewInvite($token: String!) {
    invite(token: $token) { title description memberCount conversation { id } }
  }
`)
export const JoinWithInvite = graphql(`
  mutation JoinWithInvite($input: JoinWithInviteInput!) {
    joinWithInvite(input: $input) { conversation { id } }
  }
`)
export const Profile = graphql(`
  query Profile {
    viewer { id username displayName bio avatar { id url } }
  }
`)
export const UpdateProfile = graphql(`
  mutation UpdateProfile($input: UpdateProfileInput!) {
    updateProfile(input: $input) { viewer { id displayName bio } }
  }
`)
export const Devices = graphql(`
  query Devices {
    sessions { id deviceName deviceKind isCurrent lastUsedAt state }
  }
`)
export const RevokeSession = graphql(`
  mutation RevokeSession($input: RevokeSessionInput!) {
    revokeSession(input: $input) { session { id } }
  }
`)
export const RevokeOtherSessions = graphql(`
  mutation RevokeOtherSessions {
    revokeOtherSessions { __typename }
  }
`)
export const People = graphql(`
  query People {
    contacts(first: 100) { nodes { id user { id username displayName avatar { id url } } } }
    incoming: contactRequests(direction: INCOMING, first: 100) { nodes { id user { id username displayName avatar { id url } } } }
    outgoing: contactRequests(direction: OUTGOING, first: 100) { nodes { id user { id username displayName avatar { id url } } } }
    blockedUsers(first: 100) { nodes { id user { id username displayName avatar { id url } } } }
  }
`)
export const RequestContact = graphql(`
  mutation RequestContact($input: RequestContactInput!) {
    requestContact(input: $input) { __typename }
  }
`)
export const AcceptContact = graphql(`
  mutation AcceptContact($input: AcceptContactInput!) {
    acceptContact(input: $input) { __typename }
  }
`)
export const DeclineContact = graphql(`
  mutation DeclineContact($input: DeclineContactInput!) {
    declineContact(input: $input) { __typename }
  }
`)
export const RemoveContact = graphql(`
  mutation RemoveContact($input: RemoveContactInput!) {
    removeContact(input: $input) { __typename }
  }
`)
export const BlockUser = graphql(`
  mutation BlockUser($input: BlockUserInput!) {
    blockUser(input: $input) { __typename }
  }
`)
export const UnblockUser = graphql(`
  mutation UnblockUser($input: UnblockUserInput!) {
    unblockUser(input: $input) { __typename }
  }
`)
export const VapidKey = graphql(`
  query VapidKey {
    vapidPublicKey
  }
`)
export const RegisterPush = graphql(`
  mutation RegisterPush($input: RegisterPushSubscriptionInput!) {
    registerPushSubscription(input: $input) { session { id } }
  }
`)
export const UnregisterPush = graphql(`
  mutation UnregisterPush {
    unregisterPush { session { id } }
  }
`)
export const SendTestNotification = graphql(`
  mutation SendTestNotification {
    sendTestNotification { session { id } }
  }
`)
export const NotificationSettings = graphql(`
  query NotificationSettings {
    presenceMode
    pushSettings { level showsText quietExceptDirect quietExceptMentions quietHours { days from until } }
  }
`)
export const SetPushSettings = graphql(`
  mutation SetPushSettings($input: SetPushSettingsInput!) {
    setPushSettings(input: $input) { __typename }
  }
`)
export const SetPresenceMode = graphql(`
  mutation SetPresenceMode($input: SetPresenceModeInput!) {
    setPresenceMode(input: $input) { presenceMode }
  }
`)
export const SetConversationPushLevel = graphql(`
  mutation SetConversationPushLevel($input: SetConversationPushLevelInput!) {
    setConversationPushLevel(input: $input) { conversation { id } }
  }
`)
