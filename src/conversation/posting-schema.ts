// The schema of who may write in a group, and how often.

import { builder } from '../graphql/builder.ts'
import { ifMember, ifShown } from './access.ts'
import { can } from './capabilities.ts'
import { Conversation } from './schema.ts'

builder.objectFields(Conversation, (t) => ({
  slowModeS: t.int({
    description:
      'How many seconds must pass between two messages of a member, who otherwise gets RATE_LIMITED with `retryAfterMs`; 0 without slow mode, or if you are not a member. The owner and admins need not wait.',
    resolve: ({ id, slowModeS }, _args, context) => ifShown(context, id, () => slowModeS, 0),
  }),
  announcementsOnly: t.boolean({
    description: 'Whether only the owner and admins can write. False if you are not a member.',
    resolve: ({ id, announcementsOnly }, _args, context) => ifShown(context, id, () => announcementsOnly, false),
  }),
  viewerCanSend: t.boolean({
    description:
      'Whether the rules of the group let you write, slow mode aside. False if you are not a member. In a closed conversation nobody can write: see `isClosed`.',
    resolve: ({ id, kind, announcementsOnly }, _args, context) =>
      ifMember<boolean>(context, id, ({ role }) => !announcementsOnly || can('ANNOUNCE', kind, role), false),
  }),
}))
