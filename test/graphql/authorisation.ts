// The authorisation matrix: what each kind of user gets, as a letter per kind, in the order of `kinds`. `+` it is done, or shown;
// `-` null; `0` an empty list, or nulls; `N` NOT_FOUND; `F` FORBIDDEN; `B` BAD_INPUT; `S` SESSION_REVOKED; `U` UNAUTHENTICATED.

/** The kinds of users, of a group with the history setting SINCE_JOINING. The owner has blocked `blocked`. */
export const kinds = ['owner', 'admin', 'member', 'newcomer', 'removed', 'blocked', 'stranger', 'suspended', 'anonymous'] as const
export type UserKind = (typeof kinds)[number]

/** What a row can be about. `old` and `fresh` are messages of the owner; the newcomer joined between them. */
export type World = {
  readonly conversationId: string
  readonly old: string
  readonly fresh: string
  /** A file of the old message. */
  readonly file: string
  readonly inviteId: string
  readonly token: string
  readonly sessionId: string
  /** A device of the owner. */
  readonly deviceId: string
  /** `victim` is a member; `target` knows nobody, and has blocked `blocked`. */
  readonly users: Readonly<Record<Exclude<UserKind, 'anonymous'> | 'victim' | 'target', string>>
}

type Variables = (world: World, userId: string, uuid: string) => unknown
export type Row = {
  readonly field: string
  readonly of: string
  readonly document: string
  readonly variables: Variables
  readonly expected: string
}

/** A query with one ID. */
const look = (
  field: string,
  of: string,
  id: (world: World, userId: string) => string,
  selection: string,
  expected: string,
): Row => ({
  field,
  of,
  document: `query Look($id: ID!) { ${selection} }`,
  variables: (world, userId) => ({ id: id(world, userId) }),
  expected,
})
/** A mutation with an input. */
const act = (field: string, of: string, input: (world: World, userId: string, uuid: string) => object, expected: string): Row => {
  const type = `${field.charAt(0).toUpperCase()}${field.slice(1)}Input`
  return {
    field,
    of,
    document: `mutation Act($input: ${type}!) { ${field}(input: $input) { __typename } }`,
    variables: (...given) => ({ input: input(...given) }),
    expected,
  }
}
const group = ({ conversationId }: World) => ({ conversationId })
const old = ({ old: messageId }: World) => ({ messageId })
const target = (w: World) => ({ userId: w.users.target })
const fresh = ({ fresh: messageId }: World) => ({ messageId })

/** Needs a session, and is only about your own account. */
export const own: readonly string[] = [
  'acknowledge',
  'blockedUsers',
  'changePassword',
  'changeUsername',
  'contactRequestCount',
  'contactRequests',
  'contacts',
  'conversations',
  'createUpload',
  'deleteAccount',
  'deviceChallenge',
  'heartbeat',
  'keyPackageCount',
  'lastActiveVisibility',
  'logOut',
  'messagePolicy',
  'presenceMode',
  'pushDecisions',
  'pushSettings',
  'registerDevice',
  'registerPushSubscription',
  'registerPushToken',
  'renewConnection',
  'revokeOtherSessions',
  'searchUsers',
  'sendTestNotification',
  'sessions',
  'setLastActiveVisibility',
  'setMessagePolicy',
  'setPresenceMode',
  'setPushSettings',
  'syncCursor',
  'unreadTotals',
  'unregisterPush',
  'updateProfile',
  'uploadKeyPackages',
  'viewer',
  'viewerRole',
]
/** For server keys, and for moderators, whatever the user may do elsewhere. */
export const ofKeys: readonly string[] = [
  ...['createServerKey', 'revokeServerKey', 'serverKeys'],
  ...['deleteUser', 'issueSession', 'suspendUser', 'unsuspendUser', 'upsertUsers', 'users'],
  ...['conversationByExternalId', 'sendSystemMessage', 'upsertConversation'],
  ...['acknowledgeChanges', 'changeConsumers', 'changes', 'deleteChangeConsumer'],
  ...['completeImport', 'importConversation', 'importMessages'],
  ...['auditLog', 'removeMessage', 'report', 'reports', 'resolveReport'],
  ...['createWebhook', 'deleteWebhook', 'replayWebhook', 'updateWebhook', 'webhooks'],
]

/**
 * What somebody of another tenant gets, by field and `of`, where a stranger of the same tenant gets more than nothing. Everywhere else
 * the two get the same.
 */
export const acrossTenants: Readonly<Record<string, string>> = {
  'node for the owner': '-',
  'invite by its token': '-',
  'user the owner': '-',
  'joinWithInvite the group': 'N',
  'startDirectConversation with somebody': 'N',
  'claimKeyPackages of somebody': 'N',
  'requestContact of somebody': 'N',
  'createGroup with somebody': 'N',
  'declineContact of somebody': 'N',
  'removeContact with somebody': 'N',
  'blockUser somebody': 'N',
  'unblockUser somebody': 'N',
  'reportUser somebody': 'N',
  'presence of the owner': 'N',
  'devices User of the owner': '-',
  'groupsInCommon User of the owner': '-',
  'presence User of the owner': '-',
}

/** Needs no session. */
export const openToAll: readonly string[] = ['gateway', 'limits', 'logIn', 'refreshSession', 'signUp', 'vapidPublicKey']

export const fields: readonly Row[] = [
  look('conversation', 'of the group', (w) => w.conversationId, 'conversation(id: $id) { id }', '+ + + + - - - S U'),
  look('node', 'for the group', (w) => w.conversationId, 'node(id: $id) { id }', '+ + + + - - - S U'),
  look('node', 'for the old message', (w) => w.old, 'node(id: $id) { id }', '+ + + - - - - S U'),
  look('node', 'for the new message', (w) => w.fresh, 'node(id: $id) { id }', '+ + + + - - - S U'),
  look('node', 'for the file of the old message', (w) => w.file, 'node(id: $id) { id }', '+ + + - - - - S U'),
  look('node', 'for the invite', (w) => w.inviteId, 'node(id: $id) { id }', '+ + - - - - - S U'),
  look('node', "for the owner's session", (w) => w.sessionId, 'node(id: $id) { id }', '+ - - - - - - S U'),
  look('node', 'for a device of the owner', (w) => w.deviceId, 'node(id: $id) { id }', '+ + + + - - - S U'),
  look('node', 'for the owner', (w) => w.users.owner, 'node(id: $id) { id }', '+ + + + + + + S U'),
  look('nodes', 'for the group', (w) => w.conversationId, 'nodes(ids: [$id]) { id }', '+ + + + 0 0 0 S U'),
  look('nodes', 'for the old message', (w) => w.old, 'nodes(ids: [$id]) { id }', '+ + + 0 0 0 0 S U'),
  look(
    'searchMessages',
    'in the group',
    (w) => w.conversationId,
    'searchMessages(query: "secret", conversationId: $id) { nodes { id } }',
    '+ + + + N N N S U',
  ),
  {
    field: 'invite',
    of: 'by its token',
    document: 'query Look($token: String!) { invite(token: $token) { __typename } }',
    variables: ({ token }) => ({ token }),
    expected: '+ + + + + + + S +',
  },
  {
    field: 'user',
    of: 'the owner',
    document: '{ user(username: "owner") { id } }',
    variables: () => ({}),
    expected: '+ + + + + + + S U',
  },

  act('addMembers', 'a stranger', (w) => ({ ...group(w), userIds: [w.users.stranger] }), '+ + F F N N N S U'),
  act('addReaction', 'to the old message', (w) => ({ ...old(w), emoji: '👍' }), '+ + + N N N N S U'),
  act('addReaction', 'to the new message', (w) => ({ ...fresh(w), emoji: '👍' }), '+ + + + N N N S U'),
  act('archiveConversation', 'the group', (w) => ({ ...group(w), archived: true }), '+ + + + N N N S U'),
  act('banMember', 'a member', (w) => ({ ...group(w), userId: w.users.victim }), '+ + F F N N N S U'),
  act('banMember', 'the owner', (w) => ({ ...group(w), userId: w.users.owner }), 'B F F F N N N S U'),
  act('bindDevice', 'of nobody', () => ({ deviceId: 'dev_0000000000099', signature: 'AA==' }), 'N N N N N N N S U'),
  act('claimKeyPackages', 'of somebody', (w) => ({ userIds: [w.users.target] }), '+ + + + + F + S U'),
  // They have no devices.
  act('commitEpoch', 'in the group', (w) => ({ ...group(w), epoch: 0, commit: 'AA==', groupInfo: 'AA==' }), 'F F F F N N N S U'),
  act('createInvite', 'to the group', group, '+ + F F N N N S U'),
  act('deleteMessage', 'the old message', old, '+ + F N N N N S U'),
  act('deleteMessage', 'the new message', fresh, '+ + F F N N N S U'),
  act('editMessage', 'the new message', (w) => ({ ...fresh(w), text: 'changed' }), '+ F F F N N N S U'),
  act('hideMessage', 'the old message', old, '+ + + N N N N S U'),
  act('hideMessage', 'the new message', fresh, '+ + + + N N N S U'),
  act('unhideMessage', 'the old message', old, '+ + + N N N N S U'),
  act('unhideMessage', 'the new message', fresh, '+ + + + N N N S U'),
  act('joinWithInvite', 'the group', ({ token }) => ({ token }), '+ + + + + + + S U'),
  act('leaveConversation', 'the group', group, '+ + + + N N N S U'),
  act('saveDraft', 'the group', (w) => ({ ...group(w), text: 'begun' }), '+ + + + N N N S U'),
  act('markUnread', 'the group', (w) => ({ ...group(w), unread: true }), '+ + + + N N N S U'),
  act('pinConversation', 'the group', (w) => ({ ...group(w), pinned: true }), '+ + + + N N N S U'),
  act('markRead', 'in the group', (w) => ({ ...group(w), seq: 1 }), '+ + + + N N N S U'),
  act('muteConversation', 'the group', (w) => ({ ...group(w), until: null }), '+ + + + N N N S U'),
  act('pinMessage', 'the old message', old, '+ + F N N N N S U'),
  act('pinMessage', 'the new message', fresh, '+ + F F N N N S U'),
  act('removeDevice', 'of nobody', () => ({ deviceId: 'dev_0000000000099' }), 'N N N N N N N S U'),
  act('removeMember', 'a member', (w) => ({ ...group(w), userId: w.users.victim }), '+ + F F N N N S U'),
  act('removeMember', 'the owner', (w) => ({ ...group(w), userId: w.users.owner }), 'B F F F N N N S U'),
  act('removeReaction', 'from the old message', (w) => ({ ...old(w), emoji: '👍' }), '+ + + N N N N S U'),
  act('removeReaction', 'from the new message', (w) => ({ ...fresh(w), emoji: '👍' }), '+ + + + N N N S U'),
  act('reportMessage', 'the old message', (w) => ({ ...old(w), reason: 'x' }), 'B + + N N N N S U'),
  act('reportMessage', 'the new message', (w) => ({ ...fresh(w), reason: 'x' }), 'B + + + N N N S U'),
  act('revokeInvite', 'to the group', ({ inviteId }) => ({ inviteId }), '+ + F F N N N S U'),
  act('revokeSession', 'of the owner', ({ sessionId }) => ({ sessionId }), '+ N N N N N N S U'),
  act(
    'sendMessage',
    'to the group',
    (w, _userId, clientMessageId) => ({ ...group(w), text: 'x', clientMessageId }),
    '+ + + + N N N S U',
  ),
  act(
    'sendMessage',
    'in reply to the old message',
    (w, _userId, clientMessageId) => ({ ...group(w), text: 'x', clientMessageId, replyToId: w.old }),
    '+ + + N N N N S U',
  ),
  act('setConversationPushLevel', 'of the group', (w) => ({ ...group(w), level: 'ALL' }), '+ + + + N N N S U'),
  act('setMemberRole', 'of a member', (w) => ({ ...group(w), userId: w.users.victim, role: 'ADMIN' }), '+ + F F N N N S U'),
  act('setMemberRole', 'to hand over', (w) => ({ ...group(w), userId: w.users.victim, role: 'OWNER' }), '+ F F F N N N S U'),
  act(
    'forwardMessages',
    'the old message to the group',
    (w, _userId, clientMessageId) => ({ messageIds: [w.old], conversationIds: [w.conversationId], clientMessageId }),
    '+ + + N N N N S U',
  ),
  act('sendSignal', 'in the group', (w) => ({ ...group(w), kind: 'wave' }), '+ + + + N N N S U'),
  act('setTyping', 'in the group', (w) => ({ ...group(w), typing: true }), '+ + + + N N N S U'),
  act('unbanMember', 'of a member', (w) => ({ ...group(w), userId: w.users.victim }), '+ + F F N N N S U'),
  act('unpinMessage', 'the old message', old, '+ + F N N N N S U'),
  act('unpinMessage', 'the new message', fresh, '+ + F F N N N S U'),
  act('updateConversation', 'the group', (w) => ({ ...group(w), title: 'Renamed' }), '+ + F F N N N S U'),

  act('startDirectConversation', 'with somebody', target, '+ + + + + F + S U'),
  act('requestContact', 'of somebody', target, '+ + + + + F + S U'),
  act('createGroup', 'with somebody', (w) => ({ title: 'Two', memberIds: [w.users.target] }), '+ + + + + F + S U'),
  act('acceptContact', 'without a request', target, 'N N N N N N N S U'),
  act('declineContact', 'of somebody', target, '+ + + + + + + S U'),
  act('removeContact', 'with somebody', target, '+ + + + + + + S U'),
  act('blockUser', 'somebody', target, '+ + + + + + + S U'),
  act('unblockUser', 'somebody', target, '+ + + + + + + S U'),
  act('reportUser', 'somebody', (w) => ({ ...target(w), reason: 'x' }), '+ + + + + + + S U'),

  {
    field: 'events',
    of: 'of the group',
    document: 'subscription S($id: ID!) { events(conversationId: $id) { __typename } }',
    variables: ({ conversationId }) => ({ id: conversationId }),
    expected: '+ + + + + N N S U',
  },
  {
    field: 'typing',
    of: 'in the group',
    document: 'subscription S($id: ID!) { typing(conversationId: $id) { __typename } }',
    variables: ({ conversationId }) => ({ id: conversationId }),
    expected: '+ + + + N N N S U',
  },
  {
    field: 'signals',
    of: 'in the group',
    document: 'subscription S($id: ID!) { signals(conversationId: $id) { __typename } }',
    variables: ({ conversationId }) => ({ id: conversationId }),
    expected: '+ + + + N N N S U',
  },
  {
    field: 'presence',
    of: 'of the owner',
    document: 'subscription S($id: ID!) { presence(userIds: [$id]) { __typename } }',
    variables: ({ users }) => ({ id: users.owner }),
    expected: '+ + + + + + + S U',
  },
]

const ofGroup = (field: string, selection: string, expected: string) =>
  look(field, 'of the group', (w) => w.conversationId, `conversation(id: $id) { ${selection} }`, expected)
const ofMessage = (field: string, selection: string, expected: string) =>
  look(field, 'of the new message', (w) => w.fresh, `node(id: $id) { ... on Message { ${selection} } }`, expected)
const ofOwner = (field: string, selection: string, expected: string) =>
  look(field, 'of the owner', (w) => w.users.owner, `node(id: $id) { ... on User { ${selection} } }`, expected)
/** The first member is the owner. */
const ofMember = (field: string, expected: string) => ofGroup(field, `members(first: 1) { nodes { ${field} } }`, expected)

/** The fields of the objects with an id. `same`: everybody who sees the object sees the same. */
export const objectFields: readonly { readonly type: string; readonly same: readonly string[]; readonly rows: readonly Row[] }[] =
  [
    {
      type: 'Conversation',
      same: [
        'announcementsOnly',
        'avatar',
        'createdAt',
        'data',
        'description',
        'encryption',
        'epoch',
        'groupInfo',
        'historyVisibility',
        'id',
        'isClosed',
        'kind',
        'lastActivityAt',
        'memberCount',
        'mentionCount',
        'needsRekey',
        'slowModeS',
        'title',
        'unreadCount',
        'unreadCountIsExact',
        'viewerCanAddMembers',
        'viewerCanAnnounce',
        'viewerCanChangeRoles',
        'viewerCanDeleteOthersMessages',
        'viewerCanEditConversation',
        'viewerCanHandOver',
        'viewerCanManageInvites',
        'viewerCanPin',
        'viewerCanRemoveMembers',
        'viewerCanSend',
      ],
      rows: [
        ofGroup('attachments', 'attachments(first: 1) { nodes { id } }', '+ + + 0 - - - S U'),
        ofGroup('bans', 'bans { nodes { bannedAt } }', '0 0 0 0 - - - S U'),
        ofGroup('draft', 'draft { text }', '+ - - - - - - S U'),
        ofGroup('externalId', 'externalId', '- - - - - - - S U'),
        ofGroup('invites', 'invites { nodes { id } }', '+ + 0 0 - - - S U'),
        ofGroup('lastMessage', 'lastMessage { id }', '+ + + + - - - S U'),
        ofGroup('members', 'members { nodes { id } }', '+ + + + - - - S U'),
        ofGroup('messages', 'messages(first: 1) { nodes { id } }', '+ + + + - - - S U'),
        {
          field: 'messagesAround',
          of: 'the old message',
          document:
            'query Look($id: ID!, $messageId: ID!) { conversation(id: $id) { messagesAround(messageId: $messageId) { nodes { id } } } }',
          variables: (w) => ({ id: w.conversationId, messageId: w.old }),
          expected: '+ + + N - - - S U',
        },
        ofGroup('otherUser', 'otherUser { id }', '- - - - - - - S U'),
        ofGroup('pinnedMessages', 'pinnedMessages { id }', '+ + + 0 - - - S U'),
        ofGroup('readMarkers', 'readMarkers { seq }', '+ + + + - - - S U'),
        ofGroup('viewerMembership', 'viewerMembership { id }', '+ + + + - - - S U'),
      ],
    },
    {
      type: 'Message',
      same: [
        'attachments',
        'ciphertext',
        'conversation',
        'createdAt',
        'data',
        'deletedAt',
        'deliveredTo',
        'editedAt',
        'epoch',
        'id',
        'kind',
        'mentions',
        'pinnedAt',
        'pinnedBy',
        'reactions',
        'sender',
        'seq',
        'text',
        'version',
        'versions',
        'viewerCanDelete',
        'viewerCanEdit',
      ],
      rows: [
        ofMessage('clientMessageId', 'clientMessageId', '+ + + + - - - S U'),
        ofMessage('replyTo', 'replyTo { text }', '+ + + - - - - S U'),
      ],
    },
    {
      type: 'User',
      same: ['avatar', 'bio', 'createdAt', 'data', 'displayName', 'id', 'isDeleted', 'username', 'viewerHasBlocked'],
      rows: [
        // By then each of them has joined a group of the owner.
        ofOwner('devices', 'devices { nodes { id } }', '+ + + + + + + S U'),
        ofOwner('groupsInCommon', 'groupsInCommon { nodes { id } }', '+ + + + + + + S U'),
        ofOwner('presence', 'presence { __typename }', '+ + + + + + + S U'),
        ofOwner('externalId', 'externalId', '- - - - - - - S U'),
        ofOwner('tenant', 'tenant', '- - - - - - - S U'),
        ofOwner('viewerContact', 'viewerContact { __typename }', '- - + - - - - S U'),
      ],
    },
    {
      type: 'Member',
      same: ['deliveredSeq', 'id', 'joinedAt', 'readAt', 'role', 'user'],
      rows: [
        ofMember('archivedAt', '+ - - - - - - S U'),
        ofMember('markedUnreadAt', '+ - - - - - - S U'),
        ofMember('pinnedAt', '+ - - - - - - S U'),
        ofMember('mutedUntil', '+ - - - - - - S U'),
        ofMember('pushLevel', '+ - - - - - - S U'),
      ],
    },
    // Who sees a file sees all of it but for its URLs, which end with the membership: test/attachment/download.test.ts.
    {
      type: 'Attachment',
      same: [
        ...['byteSize', 'contentType', 'durationMs', 'fileName', 'height', 'id', 'kind', 'message', 'state', 'thumbhash', 'url'],
        ...['urlExpiresAt', 'variants', 'width'],
      ],
      rows: [],
    },
    // People near see a device: the row of `node` says so.
    { type: 'Device', same: ['addedAt', 'id', 'name', 'removedAt', 'signatureKey', 'user'], rows: [] },
    // Only its user sees a session, and only managers of the group see an invite: the rows of `node` say so.
    {
      type: 'Session',
      same: [
        'behindBy',
        'createdAt',
        'deviceKind',
        'deviceName',
        'expiresAt',
        'id',
        'isCurrent',
        'lastUsedAt',
        'push',
        'revokedAt',
        'state',
        'syncedUntil',
      ],
      rows: [],
    },
    {
      type: 'Invite',
      same: ['conversation', 'createdAt', 'createdBy', 'expiresAt', 'id', 'maxUses', 'revokedAt', 'token', 'uses'],
      rows: [],
    },
  ]
