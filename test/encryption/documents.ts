// The operations of the tests of encryption.

import { graphql } from '../support/generated/index.ts'

export const OneDevice = graphql(`
  fragment OneDevice on Device { id name signatureKey addedAt removedAt user { id username } }
`)
export const DeviceChallenge = graphql(`
  query DeviceChallenge { deviceChallenge keyPackageCount }
`)
export const RegisterDevice = graphql(`
  mutation RegisterDevice($input: RegisterDeviceInput!) {
    registerDevice(input: $input) { device { ...OneDevice } cursor }
  }
`)
export const BindDevice = graphql(`
  mutation BindDevice($input: BindDeviceInput!) {
    bindDevice(input: $input) { device { ...OneDevice } cursor }
  }
`)
export const RemoveDevice = graphql(`
  mutation RemoveDevice($input: RemoveDeviceInput!) {
    removeDevice(input: $input) { device { ...OneDevice } cursor }
  }
`)
export const DevicesOf = graphql(`
  query DevicesOf($id: ID!, $first: Int) {
    node(id: $id) { ... on User { devices(first: $first) { nodes { ...OneDevice } pageInfo { hasNextPage } } } }
  }
`)
export const DeviceNode = graphql(`
  query DeviceNode($id: ID!) { node(id: $id) { __typename ...OneDevice } }
`)
export const UploadKeyPackages = graphql(`
  mutation UploadKeyPackages($input: UploadKeyPackagesInput!) {
    uploadKeyPackages(input: $input) { count }
  }
`)
export const ClaimKeyPackages = graphql(`
  mutation ClaimKeyPackages($input: ClaimKeyPackagesInput!) {
    claimKeyPackages(input: $input) { keyPackages { keyPackage device { id user { id } } } }
  }
`)
export const CommitEpoch = graphql(`
  mutation CommitEpoch($input: CommitEpochInput!) {
    commitEpoch(input: $input) { conversation { id epoch needsRekey groupInfo } cursor }
  }
`)
export const Group = graphql(`
  query Group($id: ID!) {
    conversation(id: $id) { id kind encryption epoch needsRekey groupInfo title }
  }
`)
export const StartEncrypted = graphql(`
  mutation StartEncrypted($input: StartDirectConversationInput!) {
    startDirectConversation(input: $input) { conversation { id encryption epoch needsRekey } cursor }
  }
`)
export const Seal = graphql(`
  mutation Seal($input: SendMessageInput!) {
    sendMessage(input: $input) {
      message { id seq text ciphertext epoch deletedAt replyTo { id } mentions { id } attachments { id kind contentType state } }
      cursor
    }
  }
`)
export const Sealed = graphql(`
  query Sealed($id: ID!) {
    conversation(id: $id) { messages(last: 50) { nodes { id seq text ciphertext epoch deletedAt } } }
  }
`)
export const EncryptionEvents = graphql(`
  subscription EncryptionEvents($after: Cursor) {
    events(after: $after) {
      __typename
      cursor
      ... on SyncStarted { mode }
      ... on MessageSent { message { id text ciphertext epoch } }
      ... on MemberLeft { user { id } }
      ... on DevicesChanged { change user { id } device { ...OneDevice } inConversation { id } }
      ... on EpochCommitted { conversation { id epoch } epoch commit sender { id } device { id } }
      ... on WelcomeReceived { conversation { id } epoch welcome device { id } }
    }
  }
`)
