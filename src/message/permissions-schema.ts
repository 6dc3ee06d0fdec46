// The schema of what the viewer may do with a message.

import { findClosed } from '../contact/access.ts'
import { findMembership } from '../conversation/access.ts'
import { type Capability, can } from '../conversation/capabilities.ts'
import { requireConversation } from '../conversation/schema.ts'
import { builder } from '../graphql/builder.ts'
import type { Context } from '../graphql/context.ts'
import type { MessageRow } from './row.ts'
import { Message } from './schema.ts'

builder.objectFields(Message, (t) => ({
  viewerCanEdit: t.boolean({
    description: 'Whether you may edit the message: it is your own, is not deleted, and its conversation is open.',
    resolve: (message, _args, context) => mayChange(context, message, null),
  }),
  viewerCanDelete: t.boolean({
    description:
      "Whether you may delete the message: it is not deleted, its conversation is open, and it is your own or your role allows you to delete other people's.",
    resolve: (message, _args, context) => mayChange(context, message, 'DELETE_OTHERS_MESSAGES'),
  }),
}))

/** Whether the viewer may change a message, as the author or by a capability. */
async function mayChange(context: Context, message: MessageRow, ofOthers: Capability | null): Promise<boolean> {
  const { conversationId, senderId, deletedAt, seq } = message
  const { viewer } = context.caller
  if (!viewer || deletedAt !== null) return false
  const isOwn = senderId === viewer.userId
  if (!isOwn && ofOthers === null) return false
  const [membership, conversation, isClosed] = await Promise.all([
    findMembership(context, conversationId),
    requireConversation(context, conversationId),
    findClosed(context, conversationId),
  ])
  if (!membership || isClosed || seq <= membership.visibleFromSeq) return false
  return isOwn || (ofOthers !== null && can(ofOthers, conversation.kind, membership.role))
}
