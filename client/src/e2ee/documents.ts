// The operations of encryption, typed by codegen like those of the store.

import type {
  BindDeviceMutation,
  BindDeviceMutationVariables,
  ClaimKeyPackagesMutation,
  ClaimKeyPackagesMutationVariables,
  CommitEpochMutation,
  CommitEpochMutationVariables,
  DeviceChallengeQuery,
  DeviceChallengeQueryVariables,
  DevicesOfQuery,
  DevicesOfQueryVariables,
  EncryptedConversationsQuery,
  EncryptedConversationsQueryVariables,
  EncryptionEventsSubscription,
  EncryptionEventsSubscriptionVariables,
  GroupInfoQuery,
  GroupInfoQueryVariables,
  GroupStateQuery,
  GroupStateQueryVariables,
  KeyPackageCountQuery,
  KeyPackageCountQueryVariables,
  OwnUserQuery,
  OwnUserQueryVariables,
  RegisterDeviceMutation,
  RegisterDeviceMutationVariables,
  RemoveDeviceMutation,
  RemoveDeviceMutationVariables,
  ReportSealedMutation,
  ReportSealedMutationVariables,
  SealedHistoryQuery,
  SealedHistoryQueryVariables,
  UploadKeyPackagesMutation,
  UploadKeyPackagesMutationVariables,
} from '../generated/operations.ts'
import type { TypedText } from '../store/documents.ts'

const typed = <Data, Vars>(text: string) => text as TypedText<Data, Vars>

const deviceParts = /* GraphQL */ `
  fragment DeviceParts on Device {
    id
    name
    signatureKey
    addedAt
    removedAt
    user { id }
  }
`

/** The viewer's id. */
export const OwnUser = typed<OwnUserQuery, OwnUserQueryVariables>(/* GraphQL */ `
  query OwnUser { viewer { id } }
`)

/** Registers this device. */
export const RegisterDevice = typed<RegisterDeviceMutation, RegisterDeviceMutationVariables>(/* GraphQL */ `
  mutation RegisterDevice($input: RegisterDeviceInput!) {
    registerDevice(input: $input) { device { id } }
  }
`)

/** What a device signs to be recognised in a new session. */
export const DeviceChallenge = typed<DeviceChallengeQuery, DeviceChallengeQueryVariables>(/* GraphQL */ `
  query DeviceChallenge { deviceChallenge }
`)

/** Makes this session one of a known device. */
export const BindDevice = typed<BindDeviceMutation, BindDeviceMutationVariables>(/* GraphQL */ `
  mutation BindDevice($input: BindDeviceInput!) {
    bindDevice(input: $input) { device { id } }
  }
`)

/** Removes a device for good. */
export const RemoveDevice = typed<RemoveDeviceMutation, RemoveDeviceMutationVariables>(/* GraphQL */ `
  mutation RemoveDevice($input: RemoveDeviceInput!) {
    removeDevice(input: $input) { device { id removedAt } }
  }
`)

/** The devices of users. */
export const DevicesOf = typed<DevicesOfQuery, DevicesOfQueryVariables>(
  /* GraphQL */ `
    query DevicesOf($ids: [ID!]!) {
      nodes(ids: $ids) {
        __typename
        ... on User { id devices(last: 100) { nodes { ...DeviceParts } } }
      }
    }
    ${deviceParts}
  `,
)

/** Uploads key packages. */
export const UploadKeyPackages = typed<UploadKeyPackagesMutation, UploadKeyPackagesMutationVariables>(/* GraphQL */ `
  mutation UploadKeyPackages($input: UploadKeyPackagesInput!) {
    uploadKeyPackages(input: $input) { __typename }
  }
`)

/** How many key packages the server has of this device. */
export const KeyPackageCount = typed<KeyPackageCountQuery, KeyPackageCountQueryVariables>(/* GraphQL */ `
  query KeyPackageCount { keyPackageCount }
`)

/** Takes a key package of each device of some users. */
export const ClaimKeyPackages = typed<ClaimKeyPackagesMutation, ClaimKeyPackagesMutationVariables>(/* GraphQL */ `
  mutation ClaimKeyPackages($input: ClaimKeyPackagesInput!) {
    claimKeyPackages(input: $input) { keyPackages { keyPackage device { id user { id } } } }
  }
`)

/** Moves a conversation to its next epoch. */
export const CommitEpoch = typed<CommitEpochMutation, CommitEpochMutationVariables>(/* GraphQL */ `
  mutation CommitEpoch($input: CommitEpochInput!) {
    commitEpoch(input: $input) { cursor }
  }
`)

/** Where an encrypted conversation is, and whose devices belong into its group. */
export const GroupState = typed<GroupStateQuery, GroupStateQueryVariables>(/* GraphQL */ `
  query GroupState($id: ID!, $after: String) {
    conversation(id: $id) {
      id
      encryption
      epoch
      needsRekey
      members(first: 100, after: $after) {
        nodes { id user { id } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`)

/** What a device joins with that has no Welcome. */
export const GroupInfo = typed<GroupInfoQuery, GroupInfoQueryVariables>(/* GraphQL */ `
  query GroupInfo($id: ID!) {
    conversation(id: $id) { id epoch groupInfo }
  }
`)

/** A page of conversations, to find the encrypted ones. */
export const EncryptedConversations = typed<EncryptedConversationsQuery, EncryptedConversationsQueryVariables>(/* GraphQL */ `
  query EncryptedConversations($first: Int!, $after: String) {
    syncCursor
    conversations(first: $first, after: $after, archived: null) {
      nodes { id encryption epoch lastMessage { id seq } }
      pageInfo { hasNextPage endCursor }
    }
  }
`)

const sealedParts = /* GraphQL */ `
  fragment SealedParts on Message {
    id
    seq
    clientMessageId
    ciphertext
    epoch
    createdAt
    deletedAt
    sender { id displayName }
  }
`

/** Encrypted messages that came while the journal was not followed. */
export const SealedHistory = typed<SealedHistoryQuery, SealedHistoryQueryVariables>(
  /* GraphQL */ `
    query SealedHistory($id: ID!, $afterSeq: Int!) {
      conversation(id: $id) {
        id
        messagesAround(seq: $afterSeq, before: 0, after: 50) {
          nodes { ...SealedParts }
        }
      }
    }
    ${sealedParts}
  `,
)

/** Reports a message with what it says: the server cannot read it. */
export const ReportSealed = typed<ReportSealedMutation, ReportSealedMutationVariables>(/* GraphQL */ `
  mutation ReportSealed($input: ReportMessageInput!) {
    reportMessage(input: $input) { reportId }
  }
`)

/** The events by which encryption follows. */
export const EncryptionEvents = typed<EncryptionEventsSubscription, EncryptionEventsSubscriptionVariables>(
  /* GraphQL */ `
    subscription EncryptionEvents($after: Cursor) {
      events(after: $after) {
        __typename
        cursor
        ... on SyncStarted { mode reason }
        ... on MessageSent { conversation { id } message { ...SealedParts } }
        ... on MessageDeleted { conversation { id } message { id deletedAt } }
        ... on EpochCommitted { conversation { id } epoch commit }
        ... on WelcomeReceived { conversation { id } epoch welcome device { id } }
        ... on DevicesChanged { inConversation { id } user { id } change device { id } }
        ... on ConversationAdded { conversation { id encryption } }
        ... on ConversationReopened { conversation { id encryption } }
        ... on MemberJoined { conversation { id encryption } user { id } seq }
        ... on MemberLeft { conversation { id encryption } user { id } }
        ... on BlockChanged { user { id } }
      }
    }
    ${sealedParts}
  `,
)
