// Reads conversations. Only members can see a conversation and its members.

import { shownToAll } from '../attachment/access.ts'
import type { AttachmentUse } from '../attachment/uses.ts'
import { type Context, isBackend, requireViewer } from '../graphql/context.ts'
import { cachedLoader, indexBy, type MaybePromise, mapMaybePromise, sharedLoader, viewerLoader } from '../graphql/loader.ts'
import { type AttachmentId, type ConversationId, type Position, positionOf, type UserId } from '../id.ts'
import { readLastLeft } from '../journal/tables.ts'
import { statement } from '../store/reader.ts'
import type { Kind, Role } from './capabilities.ts'
import type { Encryption, HistoryVisibility } from './events.ts'
import { conversationKinds } from './events.ts'

/** The part of a conversation that does not depend on the viewer. */
export type ConversationRow = {
  readonly id: ConversationId
  readonly kind: Kind
  readonly title: string | null
  readonly description: string | null
  readonly historyVisibility: HistoryVisibility
  readonly avatarId: AttachmentId | null
  /** The tenant of all its members; null for none. */
  readonly tenant: string | null
  /** The id by which the backend knows it; null if the backend did not make it. */
  readonly externalId: string | null
  /** Custom data of the app, as JSON text; null if there is none. */
  readonly data: string | null
  /** How many seconds must pass between two messages of a member; 0 for none. */
  readonly slowModeS: number
  /** Whether only the owner and admins can write. */
  readonly announcementsOnly: boolean
  readonly createdAt: Date
  /** Whether devices encrypt what is said. It never changes. */
  readonly encryption: Encryption
  /** The two people of a direct conversation, the lower id first; null for a group. */
  readonly directLow: UserId | null
  readonly directHigh: UserId | null
  /** In events: the position at which a user last left it, as of this read; 0 if nobody had left. */
  readonly lastLeftAt?: Position
}

/** A member of a conversation. */
export type MemberRow = {
  readonly conversationId: ConversationId
  readonly userId: UserId
  readonly role: Role
  readonly joinedAt: Date
}

/** The viewer's membership of a conversation, with the private settings. */
export type MembershipRow = MemberRow & {
  /** The viewer sees messages with a greater seq. Decided at the position of joining (D6). */
  readonly visibleFromSeq: number
  readonly mutedUntil: Date | null
  readonly archivedAt: Date | null
  readonly pinnedAt: Date | null
  readonly markedUnreadAt: Date | null
  /** Whether the viewer has hidden messages in it. For all others, nothing is read about hidden messages. */
  readonly hidesMessages: boolean
}

/** The columns of a `ConversationRow`, from the table or alias `c`. */
export const conversationColumns = `c.id, c.kind, c.title, c.description, c.history_visibility as "historyVisibility",
  c.avatar_id as "avatarId", c.tenant, c.external_id as "externalId", c.data::text as data, c.created_at as "createdAt",
  c.encryption,
  c.slow_mode_s as "slowModeS", c.announcements_only as "announcementsOnly",
  c.direct_low as "directLow", c.direct_high as "directHigh"`
/** The columns of a `MemberRow`, from the table or alias `m`. */
export const memberColumns = `m.conversation_id as "conversationId", m.user_id as "userId", m.role, m.joined_at as "joinedAt"`

const conversationsByIds = statement<ConversationRow>(
  'conversations_by_ids',
  `select ${conversationColumns} from conversation c where c.id = any($1::bigint[])`,
)
/** The columns of a `MembershipRow`, from `m` and `lastInterval`. */
export const membershipColumns = `${memberColumns}, a.visible_from_seq as "visibleFromSeq", m.muted_until as "mutedUntil",
  m.archived_at as "archivedAt", m.pinned_at as "pinnedAt", m.marked_unread_at as "markedUnreadAt",
  a.hides_messages as "hidesMessages"`
/** SQL: a member's last interval in the audience, even if it has ended: members of a closed conversation can still read it. */
export const lastInterval = `cross join lateral (
  select visible_from_seq, hides_messages from audience
   where user_id = m.user_id and conversation_id = m.conversation_id order by from_position desc limit 1) a`
const memberships = statement<MembershipRow>(
  'memberships',
  `select ${membershipColumns} from member m ${lastInterval}
    where m.user_id = $1 and m.conversation_id = any($2::bigint[])`,
)
const ownConversations = statement<ConversationRow & MembershipRow>(
  'own_conversations',
  `select ${conversationColumns}, ${membershipColumns}
     from member m join conversation c on c.id = m.conversation_id ${lastInterval}
    where m.user_id = $1 and m.conversation_id = any($2::bigint[])`,
)
const membersByPairs = statement<MemberRow>(
  'members_by_pairs',
  `select ${memberColumns} from unnest($1::bigint[], $2::bigint[]) as p(conversation_id, user_id)
     join member m using (conversation_id, user_id)`,
)
const memberCounts = statement<{ conversationId: ConversationId; count: number }>(
  'member_counts',
  'select conversation_id as "conversationId", count(*) as count from member where conversation_id = any($1::bigint[]) group by 1',
)
/** Finds a conversation by id without a permission check: a fact or a visible message must already name it. */
export const findConversation = cachedLoader(
  async (reader, ids: readonly ConversationId[]) =>
    indexBy(await reader.rows(conversationsByIds, [ids]), (conversation) => conversation.id),
  ({ kind, conversationId }) => (kind === conversationKinds.ConversationUpdated.number ? conversationId : null),
  async (reader, conversations) => {
    const lastLeft = await readLastLeft(reader, [...conversations.keys()])
    return new Map([...conversations].map(([id, row]) => [id, { ...row, lastLeftAt: lastLeft.get(id) ?? positionOf(0) }]))
  },
)

/**
 * Whether an event may show the title of its conversation to every user that it is executed for. That is so if all of them are
 * members, as this node knows, and the title was read before any departure that this node does not know of.
 */
export function isShownInEvent({ visibleRange: range }: Context, { id, lastLeftAt }: ConversationRow): boolean {
  return range?.isOpen === true && range.conversationId === id && lastLeftAt !== undefined && lastLeftAt <= range.until
}

/** Finds the viewer's membership of a conversation; null if there is none, or no viewer. */
export const findMembership = viewerLoader(async ({ reader, caller }, ids: readonly ConversationId[]) =>
  caller.viewer
    ? indexBy(await reader.rows(memberships, [caller.viewer.userId, ids]), (member) => member.conversationId)
    : new Map<ConversationId, MembershipRow>(),
)

/**
 * Shows something to a member of a conversation, and `otherwise` to any other viewer. `show` may read later than the membership
 * was read, so the membership is checked again: a removed member must not see anything written after the removal (A5).
 */
export function ifMember<T>(
  context: Context,
  conversationId: ConversationId,
  show: (membership: MembershipRow) => MaybePromise<T | null>,
  otherwise: T,
): MaybePromise<T> {
  return mapMaybePromise(findMembership(context, conversationId), (membership) => {
    if (!membership) return otherwise
    const shown = show(membership)
    if (!(shown instanceof Promise)) return shown ?? otherwise
    return shown.then((value) =>
      value === null
        ? otherwise
        : mapMaybePromise(isStillMember(context, membership), (isStill) => (isStill ? value : otherwise)),
    )
  })
}

/**
 * Shows the settings of a conversation to its members, and to a server key that acts for itself: what hands a conversation to a key has
 * checked that it may see it. `otherwise` to any other viewer.
 */
export function ifShown<T>(
  context: Context,
  conversationId: ConversationId,
  show: () => MaybePromise<T | null>,
  otherwise: T,
): MaybePromise<T> {
  if (isBackend(context)) return mapMaybePromise(show(), (value) => value ?? otherwise)
  return ifMember(context, conversationId, show, otherwise)
}

/** Whether the viewer's membership is unchanged since it was read. A snapshot needs no second check. */
export function isStillMember(context: Context, was: MembershipRow): MaybePromise<boolean> {
  if (context.snapshot) return true
  return mapMaybePromise(
    findMembership(context, was.conversationId),
    (is) => is?.visibleFromSeq === was.visibleFromSeq && is.joinedAt.getTime() === was.joinedAt.getTime(),
  )
}

const readOwnConversation = viewerLoader(async ({ reader, caller }, ids: readonly ConversationId[]) =>
  indexBy(await reader.rows(ownConversations, [caller.viewer?.userId ?? 0, ids]), ({ id }) => id),
)

/** Finds a conversation that the viewer is a member of; null for any other. */
export async function findOwnConversation(context: Context, conversationId: ConversationId): Promise<ConversationRow | null> {
  requireViewer(context)
  const own = await readOwnConversation(context, conversationId)
  if (own) findMembership.prime(context, new Map([[conversationId, own]]))
  return own
}

const conversationsWithAvatar = statement<{ id: ConversationId }>(
  'conversations_with_avatar',
  'select id from conversation where avatar_id = $1',
)

/** Attachments as groups use them: members see the avatar of their group. */
export const groupAvatarUse: AttachmentUse = {
  async show(context, attachment) {
    if (attachment.purpose !== 'AVATAR') return null
    const groups = await context.reader.rows(conversationsWithAvatar, [attachment.id])
    const own = await Promise.all(groups.map(({ id }) => findOwnConversation(context, id)))
    return own.some((group) => group !== null) ? shownToAll(attachment) : null
  },
}

/** Counts the members of a conversation. */
export const countMembers = sharedLoader(async (reader, ids: readonly ConversationId[]) => {
  const rows = await reader.rows(memberCounts, [ids])
  return new Map(rows.map(({ conversationId, count }) => [conversationId, count]))
})

/** Finds a member by `conversation:user`; null if the user is not a member. */
export const findMember = sharedLoader(async (reader, pairs: readonly `${ConversationId}:${UserId}`[]) => {
  const [conversationIds, userIds] = [0, 1].map((part) => pairs.map((pair) => Number(pair.split(':')[part])))
  const rows = await reader.rows(membersByPairs, [conversationIds, userIds])
  return new Map(rows.map((row) => [`${row.conversationId}:${row.userId}` as const, row]))
})
