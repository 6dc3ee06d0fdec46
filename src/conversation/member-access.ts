// Reads lists of the members of a conversation.

import type { DefaultConnectionArguments } from '@pothos/plugin-relay'
import { beginningWith } from '../account/search-text.ts'
import type { Context } from '../graphql/context.ts'
import { batchedParts, type Page, readPage } from '../graphql/page.ts'
import type { ConversationId } from '../id.ts'
import { statement } from '../store/reader.ts'
import { type MemberRow, memberColumns } from './access.ts'
import type { Role } from './capabilities.ts'

const readParts = batchedParts<MemberRow>({
  name: 'members',
  table: 'member',
  columns: memberColumns,
  of: 'conversation_id',
  key: 'user_id',
})

const filtered = `select ${memberColumns} from member m join "user" u on u.id = m.user_id
  where m.conversation_id = $1 and m.user_id > $2 and m.user_id < $3
    and ($5::text is null or u.search_text like '%' || $5) and ($6::member_role is null or m.role = $6)`
const filteredForward = statement<MemberRow>('members_filtered_forward', `${filtered} order by m.user_id limit $4`)
const filteredBackward = statement<MemberRow>('members_filtered_backward', `${filtered} order by m.user_id desc limit $4`)

const lowest = -1
const highest = Number.MAX_SAFE_INTEGER

/** Which members to list. */
type MemberFilter = {
  /** A folded text that the username or display name contains; null for all names. */
  readonly text: string | null
  readonly role: Role | null
}

/** Reads a page of the members of a conversation, by user. The caller has checked that the viewer is a member. */
export function readMembers(
  context: Context,
  conversationId: ConversationId,
  { text, role }: MemberFilter,
  args: DefaultConnectionArguments,
): Promise<Page<MemberRow>> {
  return readPage(
    args,
    (member) => member.userId,
    async ({ after, before, from, limit }) => {
      const [low, high] = [after ?? lowest, before ?? highest]
      if (text === '') return []
      if (text === null && role === null) return readParts(context, { of: conversationId, after: low, before: high, from, limit })
      const values = [conversationId, low, high, limit, text === null ? null : beginningWith(text), role]
      return context.reader.rows(from === 'START' ? filteredForward : filteredBackward, values)
    },
  )
}
