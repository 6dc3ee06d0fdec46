// What must be true of the J tables in every snapshot. Each law is a query for its violations.

import type pg from 'pg'

/** The maximum number of members of the stress test's groups. */
export const membersMax = 10
/** The kind of the stress test's renames: the title is in the payload. */
export const renameKind = 101

const laws: Readonly<Record<string, string>> = {
  'D2 positions have no gap': 'select 1 from fact having max(position) - min(position) + 1 <> count(*) or min(position) <> 1',
  'D5 seq is dense and ends at the head': `
    select 1 from (select conversation_id, count(*) n, min(seq) low, max(seq) high from message group by 1) m
      full join conversation_head h using (conversation_id)
     where coalesce(m.n, 0) <> h.last_seq or coalesce(m.high, 0) <> h.last_seq or m.low <> 1 or h.last_seq is null`,
  'D5 the head of a conversation is its last fact': `
    select 1 from (select conversation_id, max(position) p from fact where conversation_id is not null group by 1) f
      full join conversation_head h using (conversation_id) where f.p is distinct from h.last_position`,
  'D5 the last activity of a conversation is when its last fact happened': `
    select 1 from conversation_head h join fact f on f.position = h.last_position where f.occurred_at <> h.last_activity_at`,
  'D5 a message has its fact': `
    select 1 from message m left join fact f on f.position = m.id
     where f.kind is distinct from 1 or f.subject_id <> m.id or f.conversation_id <> m.conversation_id or f.actor_id <> m.sender_id`,
  'D5 a fact of a message has its message': `
    select 1 from fact f where f.kind = 1 and not exists (select 1 from message m where m.id = f.position)`,
  'D6 who acts is in the audience at that position': `
    select 1 from fact f where f.conversation_id is not null and f.actor_id is not null and not exists (
      select 1 from audience a where a.conversation_id = f.conversation_id and a.user_id = f.actor_id
         and a.from_position <= f.position and (a.to_position is null or a.to_position >= f.position))`,
  'D6 who sends or renames came before and has not left': `
    select 1 from fact f where f.kind in (1, ${renameKind}) and not exists (
      select 1 from audience a where a.conversation_id = f.conversation_id and a.user_id = f.actor_id
         and a.from_position < f.position and (a.to_position is null or a.to_position > f.position))`,
  'A4 the current audience is the members': `
    select 1 from member m full join (select * from audience where to_position is null) a using (conversation_id, user_id)
     where m.user_id is null or a.user_id is null`,
  'A4 an interval is made of a join and a leave': `
    select 1 from audience a
      left join fact f on f.position = a.from_position and f.audience_change = 1 and f.subject_id = a.user_id
      left join fact t on t.position = a.to_position and t.audience_change = -1 and t.subject_id = a.user_id
     where f.position is null or (a.to_position is not null and (t.position is null or a.to_position <= a.from_position))`,
  'A8 the title is that of the last rename': `
    select 1 from conversation c join lateral (
      select payload ->> 'title' as title from fact f where f.conversation_id = c.id and f.kind = ${renameKind}
       order by position desc limit 1) f on f.title is distinct from c.title`,
  'A1 what a savepoint rolled back is not numbered': `select 1 from fact where payload ? 'undone'`,
  'A1 no request is left over': 'select 1 from journal_request',
  'limits hold under concurrent adds': `
    select 1 from member where conversation_id < 1000 group by conversation_id having count(*) > ${membersMax}`,
}

/** The names of the broken laws, all checked in one snapshot. */
export async function brokenLaws(client: pg.Client): Promise<string[]> {
  await client.query('begin isolation level repeatable read read only')
  const broken: string[] = []
  for (const [name, breaches] of Object.entries(laws)) {
    const { rowCount } = await client.query(`${breaches} limit 1`)
    if (rowCount !== 0) broken.push(name)
  }
  await client.query('commit')
  return broken
}
