// `parley export`: users, conversations and messages as lines of JSON, which `parley import` reads.

import { open } from 'node:fs/promises'
import { issuersOf } from '../account/external-id.ts'
import { type ConversationId, encodeId, type UserId } from '../id.ts'
import { type Reader, statement } from '../store/reader.ts'
import { type Command, FailedResult, onlyOne } from './command.ts'
import type { ImportLine } from './import-lines.ts'
import { noteInAudit, withStore } from './operator.ts'

const [usersAtOnce, conversationsAtOnce, messagesAtOnce] = [1_000, 200, 2_000] as const

const users = statement<{ id: UserId; name: string | null; line: object; data: string | null }>(
  'installation_users',
  `select id, case when issuer = any($3) then subject end as name,
          json_strip_nulls(json_build_object('username', username, 'displayName', nullif(display_name, ''), 'bio', nullif(bio, ''),
            'tenant', tenant)) as line, data::text as data
     from "user" where id > $1 and id > 0 order by id limit $2`,
)
const conversations = statement<{
  id: ConversationId
  externalId: string | null
  line: object
  data: string | null
  pair: [UserId, UserId] | null
  members: { id: UserId; role: 'OWNER' | 'ADMIN' | 'MEMBER' }[]
  lastSeq: number
}>(
  'installation_conversations',
  `select c.id, c.external_id as "externalId", c.data::text as data, coalesce(h.last_seq, 0) as "lastSeq",
          json_strip_nulls(json_build_object('title', c.title, 'description', c.description, 'tenant', c.tenant,
            'createdAt', to_char(c.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))) as line,
          case when c.kind = 'DIRECT' then array[c.direct_low, c.direct_high] end as pair,
          coalesce((select json_agg(json_build_object('id', m.user_id, 'role', m.role) order by m.joined_at, m.user_id)
                      from member m where m.conversation_id = c.id), '[]') as members
     from conversation c left join conversation_head h on h.conversation_id = c.id
    where c.id > $1 and c.encryption = 'NONE' order by c.id limit $2`,
)
const messages = statement<{
  id: number
  senderId: UserId
  text: string
  createdAt: string
  replyToId: number | null
  mentions: UserId[]
  data: string | null
}>(
  'installation_messages',
  `select m.id, m.sender_id as "senderId", m.data::text as data, m.mentioned_user_ids as mentions,
          to_char(m.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "createdAt",
          (select r.id from message r where r.id = m.reply_to_id and r.deleted_at is null) as "replyToId",
          coalesce(nullif(m.text, ''), (select string_agg(a.file_name, ', ' order by a.id) from attachment a where a.id = any(m.attachment_ids)), '') as text
     from message m where m.conversation_id = $1 and m.seq > $2 and m.seq <= $3 and m.deleted_at is null order by m.seq`,
)

export const exportFile: Command = {
  summary: 'Writes all users, conversations and messages as lines of JSON.',
  usage: ['FILE'],
  help: [
    'The file must not exist yet. Passwords, files, reactions, pins, read markers and encrypted conversations are not in it; a message',
    'without a text has the names of its files. The form of the lines is in docs/platform.md; `parley import` reads them.',
  ].join('\n'),
  async run(given) {
    const path = onlyOne(given, 'file')
    const file = await open(path, 'wx').catch((error: Error) => {
      throw new FailedResult(error.message)
    })
    try {
      await noteInAudit('export', [])
      let count = 0
      await withStore(async ({ reader }, { config }) => {
        for await (const lines of exportLines(reader, issuersOf(config))) {
          count += lines.length
          await file.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
        }
      })
      return `${count} lines are in ${path}.`
    } finally {
      await file.close()
    }
  },
}

const dataOf = (text: string | null) => (text === null ? {} : { data: JSON.parse(text) as unknown })

/** The lines, in pieces. */
async function* exportLines(reader: Reader, issuers: readonly string[]): AsyncGenerator<ImportLine[]> {
  const names = new Map<UserId, string>()
  const nameOf = (id: UserId) => names.get(id) ?? `id:${encodeId('User', id)}`
  for (let after = 0; ; ) {
    const rows = await reader.rows(users, [after, usersAtOnce, issuers])
    for (const { id, name } of rows) if (name !== null) names.set(id, name)
    yield rows.map(({ id, line, data }) => ({ type: 'user', id: nameOf(id), ...line, ...dataOf(data) }))
    const last = rows.at(-1)
    if (!last) break
    after = last.id
  }
  for (let after = 0; ; ) {
    const rows = await reader.rows(conversations, [after, conversationsAtOnce])
    for (const { id, externalId, line, data, pair, members, lastSeq } of rows) {
      const conversation = externalId ?? `id:${encodeId('Conversation', id)}`
      const people = pair
        ? { direct: pair.map(nameOf) as [string, string] }
        : { members: members.map((member) => ({ id: nameOf(member.id), role: member.role })) }
      yield [{ type: 'conversation', id: conversation, ...line, ...dataOf(data), ...people }]
      for (let from = 0; from < lastSeq; from += messagesAtOnce) {
        const page = await reader.rows(messages, [id, from, from + messagesAtOnce])
        yield page
          .filter(({ text }) => text !== '')
          .map((row) => ({
            type: 'message',
            id: `id:${row.id}`,
            conversation,
            ...(row.senderId === 0 ? {} : { sender: nameOf(row.senderId) }),
            text: row.text,
            createdAt: row.createdAt,
            ...(row.replyToId === null ? {} : { replyTo: `id:${row.replyToId}` }),
            ...(row.mentions.length === 0 ? {} : { mentions: row.mentions.map(nameOf) }),
            ...dataOf(row.data),
          }))
      }
    }
    const last = rows.at(-1)
    if (!last) break
    after = last.id
  }
}
