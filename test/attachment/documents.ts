// The operations of the tests of files.

import { graphql } from '../support/generated/index.ts'

export const FileParts = graphql(`
  fragment FileParts on Attachment {
    id fileName kind contentType byteSize state width height durationMs thumbhash url urlExpiresAt
    variants { url width height contentType }
  }
`)
export const CreateUpload = graphql(`
  mutation CreateUpload($input: CreateUploadInput!) {
    createUpload(input: $input) { attachment { ...FileParts } upload { url method headers expiresAt resumableUrl } }
  }
`)
export const OneFile = graphql(`
  query OneFile($id: ID!) {
    node(id: $id) { ...FileParts }
  }
`)
export const SendFiles = graphql(`
  mutation SendFiles($input: SendMessageInput!) {
    sendMessage(input: $input) { message { id seq text attachments { ...FileParts message { id } } } cursor }
  }
`)
export const MessageFiles = graphql(`
  query MessageFiles($id: ID!) {
    node(id: $id) { ... on Message { id text attachments { ...FileParts } } }
  }
`)
export const SharedMedia = graphql(`
  query SharedMedia($id: ID!, $kind: AttachmentKind, $first: Int, $after: String, $last: Int, $before: String) {
    conversation(id: $id) {
      attachments(kind: $kind, first: $first, after: $after, last: $last, before: $before) {
        nodes { id fileName kind message { id } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
  }
`)
export const FileEvents = graphql(`
  subscription FileEvents($after: Cursor) {
    events(after: $after) {
      __typename
      cursor
      ... on MessageSent { message { id attachments { id state url urlExpiresAt } } }
      ... on AttachmentChanged { message { id attachments { id state url thumbhash } } }
      ... on MessageDeleted { message { id attachments { id } } }
    }
  }
`)
export const UserAvatar = graphql(`
  query UserAvatar($id: ID!) {
    node(id: $id) { ... on User { id avatar { ...FileParts } } }
  }
`)
export const SetAvatar = graphql(`
  mutation SetAvatar($input: UpdateProfileInput!) {
    updateProfile(input: $input) { viewer { id avatar { ...FileParts } } cursor }
  }
`)
export const SetGroupAvatar = graphql(`
  mutation SetGroupAvatar($input: UpdateConversationInput!) {
    updateConversation(input: $input) { conversation { id avatar { ...FileParts } } cursor }
  }
`)
