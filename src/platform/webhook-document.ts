// What webhooks send of each event: this document, executed as a server key that acts for itself.

const user = 'id externalId username displayName data'
const conversation = 'id externalId kind title data'
const message = `id seq kind text data version createdAt editedAt deletedAt clientMessageId
  sender { ${user} } replyTo { id } mentions { id externalId }
  attachments { id kind fileName contentType byteSize state }`
const aboutMessage = `message { ${message} } conversation { ${conversation} }`
const aboutMember = `user { ${user} } conversation { ${conversation} }`

/** The subscription that selects the data of each event. */
export const webhookDocument = `subscription Webhook {
  changes(consumer: "webhook") {
    __typename
    cursor
    audienceUser { ${user} }
    ... on SyncStarted { mode reason }
    ... on MessageSent { ${aboutMessage} }
    ... on MessageEdited { ${aboutMessage} }
    ... on MessageDeleted { message { id seq version deletedAt } conversation { ${conversation} } }
    ... on AttachmentChanged { message { id attachments { id kind state } } conversation { id externalId } }
    ... on ReactionsChanged { message { id reactions { emoji count } } conversation { id externalId } }
    ... on PinsChanged { message { id pinnedAt } conversation { id externalId } }
    ... on ReadMarkersMoved { markers { user { id externalId } seq } conversation { id externalId } }
    ... on ConversationAdded { conversation { ${conversation} } }
    ... on ConversationUpdated { conversation { ${conversation} description } }
    ... on ConversationClosed { conversation { id externalId } }
    ... on ConversationReopened { conversation { id externalId } }
    ... on MemberJoined { ${aboutMember} member { role } }
    ... on MemberLeft { ${aboutMember} }
    ... on MemberUpdated { ${aboutMember} member { role } }
    ... on InvitesChanged { conversation { id externalId } }
    ... on UserUpdated { user { ${user} bio isDeleted } }
    ... on ContactChanged { user { id externalId } }
    ... on BlockChanged { user { id externalId } }
    ... on SessionRevoked { session { id deviceName } }
  }
}`
