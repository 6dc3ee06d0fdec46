// The schema of what messages have attached: their attachments, the media shared in a conversation, and what becomes of a file.

import { attachmentKinds } from '../attachment/events.ts'
import { Attachment, AttachmentKind } from '../attachment/schema.ts'
import { Conversation } from '../conversation/schema.ts'
import { builder } from '../graphql/builder.ts'
import { pageCost } from '../graphql/page.ts'
import { findOwnMessage } from './access.ts'
import { findAttachments, readSharedMedia } from './attachment-access.ts'
import { messageEvent } from './mutations.ts'
import { Message } from './schema.ts'

builder.objectField(Message, 'attachments', (t) =>
  t.field({
    type: [Attachment],
    shared: true,
    description: 'The files of the message, in the order of its sender. Empty if it has none, or was deleted.',
    resolve: (message, _args, context) => findAttachments(context, message),
  }),
)

builder.objectField(Attachment, 'message', (t) =>
  t.field({
    type: Message,
    nullable: true,
    shared: true,
    description:
      'The message that it was sent with; null for an avatar, for an upload that nothing uses yet, or if you cannot see it.',
    resolve: ({ messageId }, _args, context) => (messageId === null ? null : findOwnMessage(context, messageId)),
  }),
)

builder.objectField(Conversation, 'attachments', (t) =>
  t.connection(
    {
      type: Attachment,
      description:
        'The files sent in the conversation, in the order of sending: `last: 50` returns the newest page. Empty if you are not a member. Files of messages that you cannot see are left out.',
      args: {
        kind: t.arg({
          type: AttachmentKind,
          required: false,
          description: 'Only files of this kind; null for all.',
        }),
      },
      complexity: pageCost,
      resolve: ({ id }, { kind, ...args }, context) => readSharedMedia(context, id, kind ?? null, args),
    },
    { name: 'AttachmentConnection', description: 'A page of attachments.' },
    { name: 'AttachmentEdge', description: 'An attachment on a page.' },
  ),
)

messageEvent(
  attachmentKinds.AttachmentChanged,
  'A file of a message was processed: it has a URL and, if it is a picture, a thumbhash; or it turned out that it cannot be shown.',
)
