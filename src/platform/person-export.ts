// All of a person's data as lines of JSON (NDJSON): the account, and everything in it that is of this person. One line after another,
// as fast as the reader takes them.

import { originalName, type StoreName } from '../attachment/row.ts'
import { type AttachmentId, type ConversationId, encodeId, type UserId } from '../id.ts'
import type { App } from '../parts.ts'
import { type Statement, statement } from '../store/reader.ts'

/** How many messages of a conversation are looked through at once. */
const pageSeqs = 2_000
/** The bytes of a file in one line. */
const chunkBytes = 192 * 1_024

type Line = { readonly type: string }

const account = statement<Line>(
  'export_account',
  `select 'account' as type, id, username, display_name as "displayName", bio, data, tenant, subject as "externalId", role,
          message_policy as "messagePolicy", presence_mode as "presenceMode", last_active_visibility as "lastActiveVisibility",
          created_at as "createdAt", suspended_at as "suspendedAt", suspended_until as "suspendedUntil",
          suspension_reason as "suspensionReason", avatar_id as "avatarId"
     from "user" where id = $1`,
)
/** The parts that are small for everybody. */
const parts: readonly Statement<Line>[] = [
  statement(
    'export_sessions',
    `select 'session' as type, id, device_name as "deviceName", device_kind as "deviceKind", created_at as "createdAt",
            last_used_at as "lastUsedAt", last_active_at as "lastActiveAt", expires_at as "expiresAt", revoked_at as "revokedAt"
       from session where user_id = $1 order by id`,
  ),
  statement(
    'export_devices',
    `select 'device' as type, id, name, encode(signature_key, 'base64') as "signatureKey", added_at as "addedAt", removed_at as "removedAt"
       from device where user_id = $1 order by id`,
  ),
  statement(
    'export_push',
    `select 'pushRegistration' as type, id, session_id as "sessionId", provider, platform, registered_at as "registeredAt"
       from push_registration where user_id = $1 order by id`,
  ),
  statement(
    'export_push_settings',
    `select 'pushSettings' as type, level, shows_text as "showsText", time_zone as "timeZone", quiet_hours as "quietHours",
            quiet_except_direct as "quietExceptDirect", quiet_except_mentions as "quietExceptMentions"
       from push_settings where user_id = $1`,
  ),
  statement(
    'export_contacts',
    `select 'contact' as type, case when low_id = $1 then high_id else low_id end as "userId", requested_by = $1 as "isRequestedByThem",
            requested_at as "requestedAt", accepted_at as "acceptedAt"
       from contact where low_id = $1 or high_id = $1 order by requested_at`,
  ),
  statement(
    'export_blocks',
    `select 'block' as type, blocked_id as "userId", blocked_at as "blockedAt" from block where blocker_id = $1 order by blocked_at`,
  ),
  statement(
    'export_members',
    `select 'membership' as type, m.conversation_id as "conversationId", c.kind, c.title, m.role, m.joined_at as "joinedAt",
            m.muted_until as "mutedUntil", m.archived_at as "archivedAt", m.push_level as "pushLevel", r.seq as "readSeq"
       from member m join conversation c on c.id = m.conversation_id
       left join read_marker r on r.conversation_id = m.conversation_id and r.user_id = m.user_id
      where m.user_id = $1 order by m.conversation_id`,
  ),
  statement(
    'export_invites',
    `select 'invite' as type, id, conversation_id as "conversationId", created_at as "createdAt", uses from invite where created_by = $1 order by id`,
  ),
  statement(
    'export_audit',
    `select 'audited' as type, at, actor, action, subjects from audit_entry where user_id = $1 order by id`,
  ),
]
/** The conversations in which the person ever was. */
const conversations = statement<{ id: ConversationId; lastSeq: number }>(
  'export_conversations',
  `select h.conversation_id as id, h.last_seq as "lastSeq" from conversation_head h
    where h.conversation_id in (select conversation_id from audience where user_id = $1) order by 1`,
)
const messages = statement<Line>(
  'export_messages',
  `select 'message' as type, m.id, m.conversation_id as "conversationId", m.seq, m.text, translate(encode(m.ciphertext, 'base64'), E'\\n', '') as ciphertext, m.epoch, m.data, m.version, m.created_at as "createdAt",
          m.edited_at as "editedAt", m.deleted_at as "deletedAt", m.reply_to_id as "replyToId", m.mentioned_user_ids as "mentionedUserIds",
          m.attachment_ids as "attachmentIds",
          (select coalesce(json_agg(json_build_object('version', v.version, 'text', v.text, 'writtenAt', v.written_at) order by v.version), '[]')
             from message_version v where v.message_id = m.id) as versions
     from message m where m.conversation_id = $2 and m.seq > $3 and m.seq <= $4 and m.sender_id = $1 order by m.seq`,
)
const reactions = statement<Line>(
  'export_reactions',
  `select 'reaction' as type, r.message_id as "messageId", r.emoji, r.created_at as "createdAt"
     from message m join reaction r on r.message_id = m.id and r.user_id = $1
    where m.conversation_id = $2 and m.seq > $3 and m.seq <= $4 order by m.seq`,
)
const hidden = statement<Line>(
  'export_hidden',
  `select 'hidden' as type, m.id as "messageId", h.hidden_at as "hiddenAt"
     from hidden_message h join message m on m.conversation_id = h.conversation_id and m.seq = h.seq
    where h.user_id = $1 and h.conversation_id = $2 and h.seq > $3 and h.seq <= $4 order by h.seq`,
)
const drafts = statement<Line>(
  'export_drafts',
  `select 'draft' as type, conversation_id as "conversationId", text, reply_to_id as "replyToId", saved_at as "savedAt"
     from draft where user_id = $1 order by conversation_id`,
)
type FileLine = Line & {
  readonly id: AttachmentId
  readonly storageKey: string
  readonly store: StoreName
  readonly hasContent: boolean
}
const files = statement<FileLine>(
  'export_files',
  `select 'file' as type, a.id, a.purpose, a.file_name as "fileName", f.content_type as "contentType", f.byte_size as "byteSize",
          f.kind, f.state, a.created_at as "createdAt", f.storage_key as "storageKey", f.store,
          f.state in ('READY', 'PROCESSING') as "hasContent"
     from attachment a join stored_file f on f.id = a.file_id where a.owner_id = $1 order by a.id`,
)

/** The ids in lines, and what they are ids of. */
const idTypes = {
  account: 'User',
  session: 'Session',
  message: 'Message',
  file: 'Attachment',
  invite: 'Invite',
  device: 'Device',
} as const
const references = {
  userId: 'User',
  sessionId: 'Session',
  conversationId: 'Conversation',
  messageId: 'Message',
  replyToId: 'Message',
  avatarId: 'Attachment',
} as const

/**
 * The data of a person, line by line. The contents of files come after their line, in pieces of base64.
 * @throws StoreFailure if the files are away
 */
export async function* exportPerson(userId: UserId, { files: stores, store: { reader } }: App): AsyncGenerator<string> {
  for (const part of [account, ...parts]) for (const row of await reader.rows(part, [userId])) yield lineOf(row)
  for (const { id, lastSeq } of await reader.rows(conversations, [userId])) {
    for (let from = 0; from < lastSeq; from += pageSeqs) {
      const range = [userId, id, from, from + pageSeqs]
      for (const part of [messages, reactions, hidden]) for (const row of await reader.rows(part, range)) yield lineOf(row)
    }
  }
  for (const row of await reader.rows(drafts, [userId])) yield lineOf(row)
  for (const { storageKey, store, hasContent, ...file } of await reader.rows(files, [userId])) {
    yield lineOf(file)
    const content = hasContent ? await stores.storeOf({ store }).read(`${storageKey}/${originalName}`) : null
    if (content) yield* contentLines(encodeId('Attachment', file.id), content)
  }
  yield `${JSON.stringify({ type: 'end' })}\n`
}

async function* contentLines(id: string, content: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let offset = 0
  let rest = Buffer.alloc(0)
  const line = (piece: Buffer) => {
    const text = `${JSON.stringify({ type: 'fileContent', id, offset, base64: piece.toString('base64') })}\n`
    offset += piece.length
    return text
  }
  for await (const chunk of content) {
    rest = Buffer.concat([rest, chunk])
    for (; rest.length >= chunkBytes; rest = rest.subarray(chunkBytes)) yield line(rest.subarray(0, chunkBytes))
  }
  if (rest.length > 0) yield line(rest)
}

/** A row as a line, with global ids. */
function lineOf(row: Line): string {
  const shown: Record<string, unknown> = { ...row }
  const own = idTypes[row.type as keyof typeof idTypes]
  if (own && shown.id != null) shown.id = encodeId(own, shown.id as never)
  for (const [name, type] of Object.entries(references))
    if (shown[name] != null) shown[name] = encodeId(type, shown[name] as never)
  for (const [name, type] of [
    ['mentionedUserIds', 'User'],
    ['attachmentIds', 'Attachment'],
  ] as const) {
    if (Array.isArray(shown[name])) shown[name] = shown[name].map((id) => encodeId(type, id as never))
  }
  return `${JSON.stringify(shown)}\n`
}
