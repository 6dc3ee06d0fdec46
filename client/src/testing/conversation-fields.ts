// The fields of conversations, their members and markers.

import { deliveredSeq } from './actions.ts'
import { draftOf } from './drafts.ts'
import { badInput, notFound } from './refusal.ts'
import { checkId, requireViewer, type TestContext, type TestFields } from './test-context.ts'
import { type PageArguments, pageAround, pageOf } from './test-page.ts'
import { can, membershipOf, sightOf, type TestCapability, unreadOf, visibleMessages } from './visibility.ts'
import { type TestBan, type TestConversation, type TestMember, testId } from './world.ts'

/** A member as the schema shows it. */
export type ShownMember = { readonly conversation: TestConversation; readonly member: TestMember }
/** A marker as the schema shows it. */
export type ShownMarker = { readonly conversationId: string; readonly userId: string; readonly seq: number }

const ofMembers =
  <Value, Other>(read: (conversation: TestConversation, context: TestContext) => Value, other: Other) =>
  (conversation: TestConversation, _args: object, context: TestContext) =>
    membershipOf(context, conversation) ? read(conversation, context) : other

const viewerCan = (capability: TestCapability) => (conversation: TestConversation, _args: object, context: TestContext) => {
  const member = membershipOf(context, conversation)
  return member !== null && !conversation.isClosed && can(capability, conversation, member)
}

/** Something that only the member sees. */
const ofViewer =
  <Value>(read: (member: TestMember) => Value) =>
  ({ member }: ShownMember, _args: object, context: TestContext) =>
    member.userId === requireViewer(context).id ? read(member) : null

/** The members of a conversation, in the order in which they joined. */
function membersOf({ members }: TestConversation): readonly TestMember[] {
  return [...members.values()]
}

type PlaceArguments = {
  readonly messageId?: string | null
  readonly seq?: number | null
  readonly at?: Date | null
  readonly before?: number | null
  readonly after?: number | null
}
const aroundSizes = { max: 50, usual: 25 }

function messagesAround(conversation: TestConversation, args: PlaceArguments, context: TestContext) {
  const { messageId, seq, at } = args
  if ([messageId, seq, at].filter((given) => given != null).length !== 1)
    throw badInput('messageId', 'is one of three ways to say where: give exactly one of messageId, seq and at')
  const size = (name: 'before' | 'after') => {
    const given = args[name] ?? aroundSizes.usual
    if (given < 0 || given > aroundSizes.max) throw badInput(name, `must be between 0 and ${aroundSizes.max}`)
    return given
  }
  const messages = visibleMessages(context, conversation)
  const named = messageId == null ? undefined : context.world.messages.get(checkId('Message', messageId, 'messageId'))
  if (messageId != null && (named?.conversationId !== conversation.id || sightOf(context, named) !== 'NOW'))
    throw notFound('Message')
  const sent = at == null ? undefined : (messages.find(({ createdAt }) => createdAt >= at) ?? messages.at(-1))
  const place = named?.seq ?? seq ?? sent?.seq ?? 0
  return pageAround(messages, (message) => message.seq, place, { before: size('before'), after: size('after') })
}

const person = ({ userId }: { readonly userId: string }, _args: object, { world }: TestContext) => world.users.get(userId)

export const conversationFields: { readonly [type: string]: TestFields } = {
  Conversation: {
    id: ({ id }: TestConversation) => id,
    kind: ({ kind }: TestConversation) => kind,
    createdAt: ({ createdAt }: TestConversation) => createdAt,
    title: ofMembers(({ title }) => title, null),
    description: ofMembers(({ description }) => description, null),
    data: ofMembers(({ data }) => data, null),
    historyVisibility: ofMembers(({ historyVisibility }) => historyVisibility, null),
    avatar: () => null,
    draft: draftOf,
    externalId: () => null,
    encryption: () => 'NONE',
    epoch: () => null,
    groupInfo: () => null,
    needsRekey: () => false,
    slowModeS: ofMembers(({ slowModeS }) => slowModeS, 0),
    announcementsOnly: ofMembers(({ announcementsOnly }) => announcementsOnly, false),
    bans: (conversation: TestConversation, args: PageArguments, context: TestContext) => {
      const member = membershipOf(context, conversation)
      const isShown = member !== null && can('REMOVE_MEMBERS', conversation, member)
      const bans = isShown ? [...conversation.bans.values()] : []
      return pageOf(bans, ({ userId }) => context.world.users.get(userId)?.number ?? 0, args)
    },
    isClosed: ofMembers(({ isClosed }) => isClosed, false),
    lastActivityAt: ofMembers(({ lastActivityAt }) => lastActivityAt, null),
    lastMessage: (conversation: TestConversation, _args: object, context: TestContext) =>
      visibleMessages(context, conversation).at(-1) ?? null,
    memberCount: ofMembers(({ members }) => members.size, 0),
    otherUser: ofMembers((conversation, context) => {
      const viewer = requireViewer(context)
      const other = membersOf(conversation).find(({ userId }) => userId !== viewer.id)
      return conversation.kind === 'DIRECT' && other ? context.world.users.get(other.userId) : null
    }, null),
    members: (
      conversation: TestConversation,
      args: PageArguments & { readonly query?: string | null; readonly role?: string | null },
      context: TestContext,
    ) => {
      const text = (args.query ?? '').trim().toLowerCase()
      const isWanted = ({ userId, role }: TestMember) => {
        const { username = '', displayName = '' } = context.world.users.get(userId) ?? {}
        return (!args.role || role === args.role) && `${username} ${displayName}`.toLowerCase().includes(text)
      }
      const all = membershipOf(context, conversation) ? membersOf(conversation) : []
      const shown = all.filter(isWanted).map((member): ShownMember => ({ conversation, member }))
      return pageOf(shown, ({ member }) => all.indexOf(member), args)
    },
    messages: (conversation: TestConversation, args: PageArguments, context: TestContext) =>
      pageOf(visibleMessages(context, conversation), ({ seq }) => seq, args),
    messagesAround,
    pinnedMessages: (conversation: TestConversation, _args: object, context: TestContext) =>
      visibleMessages(context, conversation)
        .filter(({ pinnedAt }) => pinnedAt)
        .sort((a, b) => Number(b.pinnedAt) - Number(a.pinnedAt)),
    readMarkers: ofMembers(
      (conversation): ShownMarker[] =>
        membersOf(conversation).map(({ userId, readSeq: seq }) => ({ conversationId: conversation.id, userId, seq })),
      [],
    ),
    unreadCount: (conversation: TestConversation, _args: object, context: TestContext) => unreadOf(context, conversation).count,
    unreadCountIsExact: (conversation: TestConversation, _args: object, context: TestContext) =>
      unreadOf(context, conversation).isExact,
    mentionCount: (conversation: TestConversation, _args: object, context: TestContext) =>
      unreadOf(context, conversation).mentions,
    viewerMembership: (conversation: TestConversation, _args: object, context: TestContext) => {
      const member = membershipOf(context, conversation)
      return member && { conversation, member }
    },
    viewerCanAddMembers: viewerCan('ADD_MEMBERS'),
    viewerCanRemoveMembers: viewerCan('REMOVE_MEMBERS'),
    viewerCanEditConversation: viewerCan('EDIT'),
    viewerCanManageInvites: viewerCan('MANAGE_INVITES'),
    viewerCanDeleteOthersMessages: viewerCan('DELETE_OTHERS'),
    viewerCanChangeRoles: viewerCan('CHANGE_ROLES'),
    viewerCanHandOver: viewerCan('HAND_OVER'),
    viewerCanPin: viewerCan('PIN'),
    viewerCanAnnounce: viewerCan('ANNOUNCE'),
    viewerCanSend: (conversation: TestConversation, _args: object, context: TestContext) => {
      const member = membershipOf(context, conversation)
      return member !== null && (!conversation.announcementsOnly || can('ANNOUNCE', conversation, member))
    },
  },
  Member: {
    id: ({ conversation, member }: ShownMember, _args: object, { world }: TestContext) =>
      testId('mbr', conversation.number, world.users.get(member.userId)?.number ?? 0),
    role: ({ member }: ShownMember) => member.role,
    joinedAt: ({ member }: ShownMember) => member.joinedAt,
    readAt: ({ member }: ShownMember) => member.readAt,
    user: ({ member }: ShownMember, args: object, context: TestContext) => person(member, args, context),
    deliveredSeq: ({ conversation, member }: ShownMember, _args: object, { world }: TestContext) =>
      deliveredSeq(world, conversation, member.userId),
    mutedUntil: ofViewer(({ mutedUntil }) => mutedUntil),
    archivedAt: ofViewer(({ archivedAt }) => archivedAt),
    markedUnreadAt: ofViewer(({ markedUnreadAt }) => markedUnreadAt),
    pinnedAt: ofViewer(({ pinnedAt }) => pinnedAt),
    pushLevel: () => null,
  },
  Ban: {
    user: person,
    bannedBy: ({ bannedBy }: TestBan, _args: object, { world }: TestContext) => world.users.get(bannedBy),
    bannedAt: ({ bannedAt }: TestBan) => bannedAt,
  },
  ReadMarker: {
    id: ({ conversationId, userId }: ShownMarker) => `ReadMarker:${conversationId}:${userId}`,
    seq: ({ seq }: ShownMarker) => seq,
    user: person,
  },
  DeliveryMarker: {
    id: ({ conversationId, userId }: ShownMarker) => `DeliveryMarker:${conversationId}:${userId}`,
    seq: ({ seq }: ShownMarker) => seq,
    user: person,
  },
}
