// The schema of closed direct conversations.

import { findClosed } from '../contact/access.ts'
import { contactKinds } from '../contact/events.ts'
import { builder } from '../graphql/builder.ts'
import { conversationOf, factEvent } from '../graphql/event.ts'
import { ifMember } from './access.ts'
import { Conversation, requireConversation } from './schema.ts'

builder.objectFields(Conversation, (t) => ({
  isClosed: t.boolean({
    description:
      'Whether nobody can write in this conversation any more: it is a direct conversation, and one of the two has blocked the other or deleted their account. Earlier messages stay readable.',
    resolve: ({ id }, _args, context) => ifMember<boolean>(context, id, () => findClosed(context, id), false),
  }),
}))

const ConversationClosed = factEvent(
  contactKinds.ConversationClosed,
  'A direct conversation was closed: nobody can write in it until it reopens. May come twice for the same cause.',
)
const ConversationReopened = factEvent(
  contactKinds.ConversationReopened,
  'A closed direct conversation was reopened. May come twice for the same cause.',
)
for (const ref of [ConversationClosed, ConversationReopened]) {
  builder.objectField(ref, 'conversation', (t) =>
    t.field({
      shared: true,
      type: Conversation,
      description: 'The conversation.',
      resolve: (event, _args, context) => requireConversation(context, conversationOf(event)),
    }),
  )
}
