// The operations of the tests of the seam to a customer's backend.

import { graphql } from '../support/generated/index.ts'

export const CreateServerKey = graphql(`
  mutation CreateServerKey($input: CreateServerKeyInput!) {
    createServerKey(input: $input) { token serverKey { id name scopes tenant createdAt lastUsedAt revokedAt } }
  }
`)
export const RevokeServerKey = graphql(`
  mutation RevokeServerKey($input: RevokeServerKeyInput!) {
    revokeServerKey(input: $input) { serverKey { id revokedAt } }
  }
`)
export const ServerKeys = graphql(`
  query ServerKeys {
    serverKeys { id name scopes lastUsedAt }
  }
`)
export const Myself = graphql(`
  query Myself {
    viewer { username }
  }
`)
export const Acknowledge = graphql(`
  mutation AcknowledgeForUser($input: AcknowledgeInput!) {
    acknowledge(input: $input) { __typename }
  }
`)
export const Heartbeat = graphql(`
  mutation HeartbeatForUser {
    heartbeat { __typename }
  }
`)
export const UpsertUsers = graphql(`
  mutation UpsertUsers($input: UpsertUsersInput!) {
    upsertUsers(input: $input) { users { id externalId username displayName bio tenant data } }
  }
`)
export const IssueSession = graphql(`
  mutation IssueSession($input: IssueSessionInput!) {
    issueSession(input: $input) { accessToken refreshToken session { id deviceName deviceKind } viewer { id username externalId } }
  }
`)
export const Users = graphql(`
  query Users($query: String, $first: Int, $after: String) {
    users(query: $query, first: $first, after: $after) {
      nodes { id username externalId tenant }
      pageInfo { hasNextPage endCursor }
    }
  }
`)
export const SuspendUser = graphql(`
  mutation SuspendUser($input: SuspendUserInput!) {
    suspendUser(input: $input) { user { id } }
  }
`)
export const UnsuspendUser = graphql(`
  mutation UnsuspendUser($input: UnsuspendUserInput!) {
    unsuspendUser(input: $input) { user { id } }
  }
`)
export const DeleteUser = graphql(`
  mutation DeleteUser($input: DeleteUserInput!) {
    deleteUser(input: $input) { userId }
  }
`)
export const FindExternalId = graphql(`
  query FindExternalId($id: ID!) {
    node(id: $id) { __typename ... on User { externalId } }
  }
`)
export const BackendConversation = graphql(`
  fragment BackendConversation on Conversation {
    id
    externalId
    title
    description
    data
    memberCount
    members(first: 100) { nodes { user { id } role } }
  }
`)
export const UpsertConversation = graphql(`
  mutation UpsertConversation($input: UpsertConversationInput!) {
    upsertConversation(input: $input) { conversation { ...BackendConversation } cursor }
  }
`)
export const ConversationByExternalId = graphql(`
  query ConversationByExternalId($externalId: String!) {
    conversationByExternalId(externalId: $externalId) { ...BackendConversation }
  }
`)
export const SendSystemMessage = graphql(`
  mutation SendSystemMessage($input: SendSystemMessageInput!) {
    sendSystemMessage(input: $input) { message { id kind text data sender { id } } cursor }
  }
`)
export const AcknowledgeChanges = graphql(`
  mutation AcknowledgeChanges($input: AcknowledgeChangesInput!) {
    acknowledgeChanges(input: $input) { changeConsumer { name cursor behindBy acknowledgedAt } }
  }
`)
export const DeleteChangeConsumer = graphql(`
  mutation DeleteChangeConsumer($input: DeleteChangeConsumerInput!) {
    deleteChangeConsumer(input: $input) { consumer }
  }
`)
export const ChangeConsumers = graphql(`
  query ChangeConsumers {
    changeConsumers { name cursor behindBy acknowledgedAt }
  }
`)
export const ShownWebhook = graphql(`
  fragment ShownWebhook on Webhook {
    id
    url
    kinds
    cursor
    behindBy
    failingSince
    lastError
    retryAt
    pausedAt
  }
`)
export const CreateWebhook = graphql(`
  mutation CreateWebhook($input: CreateWebhookInput!) {
    createWebhook(input: $input) { secret webhook { ...ShownWebhook } }
  }
`)
export const UpdateWebhook = graphql(`
  mutation UpdateWebhook($input: UpdateWebhookInput!) {
    updateWebhook(input: $input) { webhook { ...ShownWebhook } }
  }
`)
export const DeleteWebhook = graphql(`
  mutation DeleteWebhook($input: DeleteWebhookInput!) {
    deleteWebhook(input: $input) { webhookId }
  }
`)
export const ReplayWebhook = graphql(`
  mutation ReplayWebhook($input: ReplayWebhookInput!) {
    replayWebhook(input: $input) { webhook { ...ShownWebhook } }
  }
`)
export const Webhooks = graphql(`
  query Webhooks {
    webhooks { ...ShownWebhook }
  }
`)
export const ImportConversation = graphql(`
  mutation ImportConversation($input: ImportConversationInput!) {
    importConversation(input: $input) { conversation { id externalId } }
  }
`)
export const ImportMessages = graphql(`
  mutation ImportMessages($input: ImportMessagesInput!) {
    importMessages(input: $input) { stored repeated refused { externalId reason } }
  }
`)
export const CompleteImport = graphql(`
  mutation CompleteImport($input: CompleteImportInput!) {
    completeImport(input: $input) { conversation { id } cursor }
  }
`)
