// The limits that a client should know before it sends: so that a form can refuse what the server would.

import { displayNameMax } from '../account/username.ts'
import type { Config } from '../config.ts'
import { builder } from '../graphql/builder.ts'
import { pageSizes } from '../graphql/page.ts'
import { descriptionMax, titleMax } from '../group/schema.ts'
import { openInvitesMax } from '../invite/actions.ts'
import { usesMax } from '../invite/schema.ts'
import { changeLimits } from '../journal/change.ts'
import { mentionsMax } from '../message/mutations.ts'
import { bioMax } from '../people/schema.ts'
import { typingLapsesMs } from '../signal/typing-board.ts'

const Limits = builder.objectRef<Config['limits']>('Limits').implement({
  description:
    'What this server takes at most. What exceeds a limit is refused with a code, and `argument` names what was too large.',
  fields: (t) => ({
    messageTextMax: t.exposeInt('messageTextMax', { description: 'Characters (Unicode code points) in a message.' }),
    groupMembersMax: t.exposeInt('groupMembersMax', { description: 'Members of a group.' }),
    groupTitleMax: t.int({ description: 'Characters in the title of a group.', resolve: () => titleMax }),
    groupDescriptionMax: t.int({ description: 'Characters in the description of a group.', resolve: () => descriptionMax }),
    openInvitesMax: t.int({ description: 'Open invites of a group.', resolve: () => openInvitesMax }),
    inviteUsesMax: t.int({ description: 'Uses that an invite may be limited to.', resolve: () => usesMax }),
    pinsMax: t.int({ description: 'Pinned messages of a conversation.', resolve: () => changeLimits.pins }),
    displayNameMax: t.int({ description: 'Characters in a display name.', resolve: () => displayNameMax }),
    bioMax: t.int({ description: 'Characters in a bio.', resolve: () => bioMax }),
    mentionsMax: t.int({ description: 'Members whom one message may mention.', resolve: () => mentionsMax }),
    emojiOnMessageMax: t.int({ description: 'Different emoji on one message.', resolve: () => changeLimits.emojiOnMessage }),
    pageSizeMax: t.int({ description: 'Things in one page of a connection.', resolve: () => pageSizes.max }),
    typingLapsesMs: t.int({
      description: 'Milliseconds after which a sign of typing lapses unless it is repeated.',
      resolve: () => typingLapsesMs,
    }),
  }),
})

builder.queryField('limits', (t) =>
  t.field({
    type: Limits,
    description: 'What this server takes at most. Needs no access token.',
    resolve: (_root, _args, { app }) => app.config.limits,
  }),
)
