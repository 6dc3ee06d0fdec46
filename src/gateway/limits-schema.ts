// The limits in the schema, so that a client can refuse input that the server would refuse.

import { bioMax } from '../account/profile-schema.ts'
import { displayNameMax } from '../account/username.ts'
import type { Config } from '../config/config.ts'
import { descriptionMax, titleMax } from '../conversation/group-schema.ts'
import { openInvitesMax } from '../conversation/invite-actions.ts'
import { usesMax } from '../conversation/invite-schema.ts'
import { builder } from '../graphql/builder.ts'
import { pageSizes } from '../graphql/page.ts'
import { changeLimits } from '../message/change.ts'
import { mentionsMax } from '../message/mutations.ts'
import { typingLapsesMs } from '../presence/local-typing.ts'

const Limits = builder.objectRef<Config['limits']>('Limits').implement({
  description: "The limits of this server. A request that exceeds one fails, and the error's `argument` names what is too large.",
  fields: (t) => ({
    messageTextMax: t.exposeInt('messageTextMax', {
      description: 'The maximum number of characters (Unicode code points) in a message.',
    }),
    groupMembersMax: t.exposeInt('groupMembersMax', { description: 'The maximum number of members in a group.' }),
    fileBytesMax: t.exposeInt('fileBytesMax', { description: 'The maximum size of a file, in bytes.' }),
    attachmentsPerMessageMax: t.exposeInt('attachmentsPerMessageMax', {
      description: 'The maximum number of attachments of a message.',
    }),
    groupTitleMax: t.int({ description: 'The maximum number of characters in the title of a group.', resolve: () => titleMax }),
    groupDescriptionMax: t.int({
      description: 'The maximum number of characters in the description of a group.',
      resolve: () => descriptionMax,
    }),
    openInvitesMax: t.int({ description: 'The maximum number of open invites of a group.', resolve: () => openInvitesMax }),
    inviteUsesMax: t.int({ description: "The maximum value of an invite's `maxUses`.", resolve: () => usesMax }),
    pinsMax: t.int({ description: 'The maximum number of pinned messages in a conversation.', resolve: () => changeLimits.pins }),
    displayNameMax: t.int({ description: 'The maximum number of characters in a display name.', resolve: () => displayNameMax }),
    bioMax: t.int({ description: 'The maximum number of characters in a bio.', resolve: () => bioMax }),
    mentionsMax: t.int({
      description: 'The maximum number of members that one message can mention.',
      resolve: () => mentionsMax,
    }),
    emojiOnMessageMax: t.int({
      description: 'The maximum number of different emoji on one message.',
      resolve: () => changeLimits.emojiOnMessage,
    }),
    pageSizeMax: t.int({ description: 'The maximum number of items on one page of a connection.', resolve: () => pageSizes.max }),
    typingLapsesMs: t.int({
      description: 'How long a typing signal lasts unless you repeat it, in milliseconds.',
      resolve: () => typingLapsesMs,
    }),
  }),
})

builder.queryField('limits', (t) =>
  t.field({
    type: Limits,
    description: 'The limits of this server. Needs no access token.',
    resolve: (_root, _args, { app }) => app.config.limits,
  }),
)
