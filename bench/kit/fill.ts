// Many messages at once, written straight into the tables as if they had been sent one after another. It keeps the rules of the
// journal: positions without a gap, a tag for each append, seqs without a gap, heads that name the last of each. The search
// index counts them as done.

import { query } from './backends.ts'
import type { Conversation } from './node.ts'

const chunk = 100_000

// $1 the last position before, $2 how many, $3 conversations, $4 their first members, $5 how many exist already
const insert = `
with one as (
  select $1::bigint + n as position, ($3::bigint[])[1 + (n + $5::bigint - 1) % cardinality($3::bigint[])] as conversation_id,
         ($4::bigint[])[1 + (n + $5::bigint - 1) % cardinality($4::bigint[])] as sender_id,
         (1 + (n + $5::bigint - 1) / cardinality($3::bigint[]))::int as seq
    from generate_series(1, $2::bigint) n),
facts as (
  insert into fact(position, tag, occurred_at, kind, conversation_id, actor_id, subject_id)
    select position, $6::int, now(), 1, conversation_id, sender_id, position from one)
insert into message(id, conversation_id, seq, sender_id, client_message_id, request_hash, text, created_at)
  select position, conversation_id, seq, sender_id, uuidv7(), sha256(int8send(position)),
         'message ' || position || ' of very many that were sent before', now() from one`

/** Fills fresh conversations with a number of messages, in turns. No node may run on the database meanwhile. */
export async function fill(databaseUrl: string, rooms: readonly Conversation[], count: number): Promise<void> {
  await query(databaseUrl, async (client) => {
    const { rows } = await client.query<{ head: string }>('select coalesce(max(position), 0) as head from fact')
    const head = Number(rows[0]?.head)
    const senders = rooms.map(({ members }) => members[0]?.number ?? 0)
    const numbers = rooms.map(({ number }) => number)
    for (let done = 0; done < count; done += chunk) {
      const tag = Math.floor(Math.random() * 2 ** 31)
      await client.query(insert, [head + done, Math.min(chunk, count - done), numbers, senders, done, tag])
    }
    await client.query(
      `update conversation_head h set last_seq = m.seq, last_position = m.id
         from (select distinct on (conversation_id) conversation_id, seq, id from message order by conversation_id, seq desc) m
        where m.conversation_id = h.conversation_id`,
    )
    await client.query(
      'update message_search_progress set (position, tag, walked) = (select position, tag, null::bigint from fact order by position desc limit 1)',
    )
    for (const text of ['vacuum analyze', 'checkpoint']) await client.query(text)
  })
}
