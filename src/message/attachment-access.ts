// Reads the attachments of messages. A user who sees a message sees what it has attached; a URL is only for current members.

import type { DefaultConnectionArguments } from '@pothos/plugin-relay'
import { findAttachment } from '../attachment/access.ts'
import { type FileKind, fileKinds } from '../attachment/row.ts'
import type { AttachmentUse, ShownAttachment } from '../attachment/uses.ts'
import { findMembership, isStillMember } from '../conversation/access.ts'
import { type Context, isBackend, requireViewer } from '../graphql/context.ts'
import { indexBy, type MaybePromise, mapMaybePromise, sharedLoader } from '../graphql/loader.ts'
import { type Page, readPage } from '../graphql/page.ts'
import type { AttachmentId, ConversationId, MessageId } from '../id.ts'
import { statement } from '../store/reader.ts'
import { findOwnMessage } from './access.ts'
import type { MessageRow } from './row.ts'

/** The place of an attachment in its conversation: messages in order, and the attachments of each in theirs. */
const placesOfMessage = 16

type PlaceRow = { readonly attachmentId: AttachmentId; readonly messageId: MessageId; readonly place: number }
const placeColumns = 'm.attachment_id as "attachmentId", m.message_id as "messageId", m.place'
const placesByAttachments = statement<PlaceRow>(
  'message_attachments',
  `select ${placeColumns} from message_attachment m where m.attachment_id = any($1::bigint[]) and m.removed_at is null`,
)
/** Each kind has its own order in the index: takes a page of each, and of those the page. */
const sharedPlaces = (name: string, order: string, condition = '') =>
  statement<PlaceRow>(
    name,
    `select m.* from unnest($2::smallint[]) k(kind) cross join lateral (
       select ${placeColumns} from message_attachment m
        where m.conversation_id = $1 and m.kind = k.kind and m.removed_at is null and m.place > $3 and m.place < $4${condition}
        order by m.place ${order} limit $5) m
      order by m.place ${order} limit $5`,
  )
const allPlaces = [
  sharedPlaces('shared_attachments_forward', 'asc'),
  sharedPlaces('shared_attachments_backward', 'desc'),
] as const
const isShown = ` and not exists (select 1 from hidden_message h
  where h.user_id = $6 and h.conversation_id = m.conversation_id and h.seq = m.place / ${placesOfMessage})`
const shownPlaces = [
  sharedPlaces('shown_attachments_forward', 'asc', isShown),
  sharedPlaces('shown_attachments_backward', 'desc', isShown),
] as const

const findPlace = sharedLoader(async (reader, ids: readonly AttachmentId[]) =>
  indexBy(await reader.rows(placesByAttachments, [ids]), ({ attachmentId }) => attachmentId),
)

/** Whether the recipients of an answer are members of a conversation now. */
function areMembers(context: Context, conversationId: ConversationId): MaybePromise<boolean> {
  const { visibleRange: range } = context
  if (range?.isOpen === true && range.conversationId === conversationId) return true
  return isBackend(context) || mapMaybePromise(findMembership(context, conversationId), (membership) => membership !== null)
}

/** The attachments of a message that the viewer sees, in their order. */
export function findAttachments(context: Context, message: MessageRow): MaybePromise<readonly ShownAttachment[]> {
  const { attachmentIds } = message
  if (!attachmentIds?.length) return []
  return Promise.all(attachmentIds.map((id) => findOf(context, id, message.id, message.conversationId))).then((found) =>
    found.filter((attachment) => attachment !== null),
  )
}

async function findOf(context: Context, id: AttachmentId, messageId: MessageId, conversationId: ConversationId) {
  const attachment = await findAttachment(context, id)
  return attachment && { ...attachment, messageId, isOpen: (asking: Context) => areMembers(asking, conversationId) }
}

/** Attachments as messages use them. */
export const messageUse: AttachmentUse = {
  async show(context, { id }) {
    const place = await findPlace(context, id)
    const message = place && (await findOwnMessage(context, place.messageId))
    return message ? findOf(context, id, message.id, message.conversationId) : null
  },
}

/**
 * Reads a page of what was sent in a conversation, of one kind or of all (null), in the order of sending. Empty if the viewer is not
 * a member.
 */
export async function readSharedMedia(
  context: Context,
  conversationId: ConversationId,
  kind: FileKind | null,
  args: DefaultConnectionArguments,
): Promise<Page<ShownAttachment & { readonly place: number }>> {
  const membership = await findMembership(context, conversationId)
  const kinds = fileKinds.flatMap((each, i) => (kind === null || each === kind ? [i + 1] : []))
  return readPage(
    args,
    ({ place }) => place,
    async ({ after, before, from, limit }) => {
      if (!membership) return []
      // The places of a message are after 16 times its seq.
      const least = (membership.visibleFromSeq + 1) * placesOfMessage
      const bounds = [Math.max(after ?? 0, least), before ?? Number.MAX_SAFE_INTEGER]
      const [forward, backward] = membership.hidesMessages ? shownPlaces : allPlaces
      const viewer = membership.hidesMessages ? [requireViewer(context).userId] : []
      const values = [conversationId, kinds, ...bounds, limit, ...viewer]
      const places = await context.reader.rows(from === 'START' ? forward : backward, values)
      const isStill = isStillMember(context, membership)
      const found = await Promise.all(
        places.map(async ({ attachmentId, messageId, place }) => {
          const attachment = await findOf(context, attachmentId, messageId, conversationId)
          return attachment && { ...attachment, place }
        }),
      )
      return (await isStill) ? found.filter((attachment) => attachment !== null) : []
    },
  )
}
