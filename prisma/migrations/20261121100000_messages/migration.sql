-- Everyday messages: edits with their versions, tombstones, replies, mentions, reactions, read markers. All tables here are
-- J: written only while the journal's lock is held, only by the functions below; no foreign key in or out.

alter table message
  add column version int not null default 1,               -- counts edits; the conflict check compares it
  add column edited_at timestamptz,
  add column deleted_at timestamptz,                        -- a tombstone: its place and seq stay, its text and versions are gone
  add column reply_to_id bigint,
  add column mentioned_user_ids bigint[] not null default '{}';

-- The texts that an edit replaced. Gone with the message's text when it is deleted.
create table message_version(
  message_id bigint not null,
  version int not null,
  text text not null,
  written_at timestamptz not null,
  primary key (message_id, version));

create table reaction(
  message_id bigint not null,
  emoji text not null,
  user_id bigint not null,
  created_at timestamptz not null,
  primary key (message_id, emoji, user_id));

-- Who was mentioned where: what a mention count counts. A deleted message mentions nobody.
create table mention(
  user_id bigint not null,
  conversation_id bigint not null,
  seq int not null,
  primary key (user_id, conversation_id, seq));

-- How far each member has read. Only moves forward.
create table read_marker(
  conversation_id bigint not null,
  user_id bigint not null,
  seq int not null,
  moved_at timestamptz not null,
  primary key (conversation_id, user_id)) with (fillfactor = 50);

-- ---- Sends, with replies and mentions ---------------------------------------------------------------------------

drop procedure journal_send_batch;
drop function journal_send;

-- As before (20261121000000_journal), and two more refusals:
--   4 the message replied to is not in this conversation, or was deleted   5 somebody mentioned is not a member
-- `mentions` holds one array literal of user ids for each input: Postgres has no ragged arrays.
create function journal_send(conv bigint[], sender bigint[], client uuid[], hash bytea[], body text[], reply bigint[], mentions text[],
  out positions bigint[], out seqs int[], out statuses smallint[], out at timestamptz, out batch_tag int, out previous_tag int)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  head bigint; prev timestamptz; n int := cardinality(client); k int := 0; a_seq int[];
  same boolean[]; member boolean[]; answerable boolean[]; mentionable boolean[];
  taken boolean[] := array_fill(false, array[cardinality(client)]); copy_of int[]; key_at int[]; bases jsonb;
  a_pos bigint[]; a_conv bigint[]; a_sender bigint[]; a_client uuid[]; a_hash bytea[]; a_body text[]; a_reply bigint[]; a_mentions text[];
begin
  -- Touch before you lock: pages that are not in memory are read by many at once, and not under the lock.
  perform 1 from unnest(sender, client) u(s, cid) cross join lateral
    (select 1 from message where sender_id = u.s and client_message_id = u.cid limit 1) x;
  perform 1 from unnest(conv, sender) u(c, s) cross join lateral
    (select 1 from audience where conversation_id = u.c and user_id = u.s and to_position is null limit 1) x;
  perform journal_lock();
  select h.head, h.at, h.tag into head, prev, previous_tag from journal_head() h;
  at := greatest(clock_timestamp(), prev);
  batch_tag := (random() * 2147483647)::int;
  select array_agg(x.id order by i.ord), array_agg(x.seq order by i.ord), array_agg(x.request_hash = i.h order by i.ord),
         array_agg(a.ok is not null order by i.ord), array_agg(i.r is null or r.ok is not null order by i.ord),
         array_agg(i.m = '{}' or not exists (
           select 1 from unnest(i.m::bigint[]) u(id) left join lateral
             (select true as ok from audience where conversation_id = i.c and user_id = u.id and to_position is null limit 1) o on true
            where o.ok is null) order by i.ord),
         array_agg(i.copy_of order by i.ord), array_agg(i.key_at order by i.ord)
    into positions, seqs, same, member, answerable, mentionable, copy_of, key_at
    from (select u.*, first_value(u.ord) over (partition by u.s, u.cid, u.h order by u.ord) as copy_of,
                      first_value(u.ord) over (partition by u.s, u.cid order by u.ord) as key_at
            from unnest(conv, sender, client, hash, reply, mentions) with ordinality as u(c, s, cid, h, r, m, ord)) i
    left join lateral (select id, seq, request_hash from message where sender_id = i.s and client_message_id = i.cid limit 1) x on true
    left join lateral (select true as ok from audience
                        where conversation_id = i.c and user_id = i.s and to_position is null limit 1) a on true
    left join lateral (select true as ok from message where id = i.r and conversation_id = i.c and deleted_at is null limit 1) r on true;
  for i in 1..n loop
    if positions[i] is not null then statuses[i] := case when same[i] then 1 else 2 end;
    elsif copy_of[i] < i then   -- as it would be if it came alone, after the ones before it
      statuses[i] := case when statuses[copy_of[i]] = 0 then 1 when taken[key_at[i]] then 2 else statuses[copy_of[i]] end;
    elsif taken[key_at[i]] then statuses[i] := 2;
    elsif not member[i] then statuses[i] := 3;
    elsif not answerable[i] then statuses[i] := 4;
    elsif not mentionable[i] then statuses[i] := 5;
    else
      statuses[i] := 0; taken[key_at[i]] := true; k := k + 1; positions[i] := head + k;
      a_pos[k] := head + k; a_conv[k] := conv[i]; a_sender[k] := sender[i]; a_client[k] := client[i]; a_hash[k] := hash[i];
      a_body[k] := body[i]; a_reply[k] := reply[i]; a_mentions[k] := mentions[i];
    end if;
  end loop;
  if k > 0 then
    with g as (select c, count(*)::int n, max(p) p from unnest(a_conv, a_pos) u(c, p) group by c),
    h as (update conversation_head h set last_seq = h.last_seq + g.n, last_position = g.p
            from g where h.conversation_id = g.c returning h.conversation_id c, h.last_seq - g.n as base)
    select jsonb_object_agg(h.c::text, h.base) into bases from h;
    insert into fact(position, tag, occurred_at, kind, conversation_id, actor_id, subject_id)
      select p, batch_tag, at, 1, c, s, p from unnest(a_pos, a_conv, a_sender) u(p, c, s);
    with w as (
      insert into message(id, conversation_id, seq, sender_id, client_message_id, request_hash, text, created_at, reply_to_id, mentioned_user_ids)
        select p, c, (bases ->> c::text)::int + row_number() over (partition by c order by p), s, cid, h, t, at, r, m::bigint[]
          from unnest(a_pos, a_conv, a_sender, a_client, a_hash, a_body, a_reply, a_mentions) u(p, c, s, cid, h, t, r, m)
        returning id, conversation_id, seq, mentioned_user_ids),
    named as (
      insert into mention(user_id, conversation_id, seq)
        select distinct u.id, w.conversation_id, w.seq from w cross join lateral unnest(w.mentioned_user_ids) u(id))
    select array_agg(seq order by id) into a_seq from w;
    k := 0;
    for i in 1..n loop if statuses[i] = 0 then k := k + 1; seqs[i] := a_seq[k]; end if; end loop;
  end if;
  for i in 1..n loop
    if statuses[i] > 1 then positions[i] := null; seqs[i] := null;
    elsif copy_of[i] < i then positions[i] := positions[copy_of[i]]; seqs[i] := seqs[copy_of[i]]; end if;
  end loop;
end $$;

create procedure journal_send_batch(conv bigint[], sender bigint[], client uuid[], hash bytea[], body text[], reply bigint[], mentions text[],
  inout positions bigint[], inout seqs int[], inout statuses smallint[], inout at timestamptz, inout batch_tag int, inout previous_tag int)
language plpgsql as $$
begin
  select * into positions, seqs, statuses, at, batch_tag, previous_tag from journal_send(conv, sender, client, hash, body, reply, mentions);
  commit;
end $$;

-- ---- Changes of messages ----------------------------------------------------------------------------------------

-- What a batch of changes does, one input at a time under one lock: each is a short look and a short write, and changes are
-- rarer than sends. `change` names it:
--   edit    body is the new text; expected is the version that the editor saw
--   delete  for everyone: by its sender, or (moderate) by somebody whom the caller found entitled
--   react, unreact   body is the emoji; both are idempotent
-- Statuses: 0 done   1 it was so already, nothing written   2 conflict: another version is there   3 no such message, or not
-- a member   4 deleted   5 not the sender's   6 too many different emoji
create function journal_change(change text[], message_id bigint[], actor bigint[], body text[], expected int[], moderate boolean[],
  out positions bigint[], out conversations bigint[], out statuses smallint[], out at timestamptz, out batch_tag int, out previous_tag int)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  head bigint; prev timestamptz; m message; fact_kind smallint; changed int;
begin
  perform 1 from unnest(message_id) u(id) cross join lateral (select 1 from message x where x.id = u.id limit 1) x;
  perform journal_lock();
  select h.head, h.at, h.tag into head, prev, previous_tag from journal_head() h;
  at := greatest(clock_timestamp(), prev);
  batch_tag := (random() * 2147483647)::int;
  for i in 1..cardinality(message_id) loop
    positions[i] := null; conversations[i] := null;
    select * into m from message x where x.id = message_id[i];
    if not found or not exists (select 1 from audience a
         where a.conversation_id = m.conversation_id and a.user_id = actor[i] and a.to_position is null) then
      statuses[i] := 3; continue;
    end if;
    if change[i] = 'edit' then
      fact_kind := 7;
      if m.deleted_at is not null then statuses[i] := 4; continue; end if;
      if m.sender_id <> actor[i] then statuses[i] := 5; continue; end if;
      if m.text = body[i] then statuses[i] := 1; continue; end if;
      if expected[i] is not null and m.version <> expected[i] then statuses[i] := 2; continue; end if;
      insert into message_version(message_id, version, text, written_at) values (m.id, m.version, m.text, coalesce(m.edited_at, m.created_at));
      update message x set text = body[i], version = m.version + 1, edited_at = at where x.id = m.id;
    elsif change[i] = 'delete' then
      fact_kind := 8;
      if m.sender_id <> actor[i] and not moderate[i] then statuses[i] := 5; continue; end if;
      if m.deleted_at is not null then statuses[i] := 1; continue; end if;
      update message x set text = '', version = m.version + 1, deleted_at = at, mentioned_user_ids = '{}', reply_to_id = null where x.id = m.id;
      delete from message_version v where v.message_id = m.id;
      delete from reaction r where r.message_id = m.id;
      delete from mention n where n.conversation_id = m.conversation_id and n.seq = m.seq and n.user_id = any (m.mentioned_user_ids);
    elsif change[i] = 'react' then
      fact_kind := 9;
      if m.deleted_at is not null then statuses[i] := 4; continue; end if;
      if not exists (select 1 from reaction r where r.message_id = m.id and r.emoji = body[i])
         and (select count(distinct r.emoji) from reaction r where r.message_id = m.id) >= 20 then statuses[i] := 6; continue; end if;
      insert into reaction(message_id, emoji, user_id, created_at) values (m.id, body[i], actor[i], at) on conflict do nothing;
      get diagnostics changed = row_count;
      if changed = 0 then statuses[i] := 1; continue; end if;
    else
      fact_kind := 9;
      delete from reaction r where r.message_id = m.id and r.emoji = body[i] and r.user_id = actor[i];
      get diagnostics changed = row_count;
      if changed = 0 then statuses[i] := 1; continue; end if;
    end if;
    head := head + 1; positions[i] := head; conversations[i] := m.conversation_id; statuses[i] := 0;
    insert into fact(position, tag, occurred_at, kind, conversation_id, actor_id, subject_id)
      values (head, batch_tag, at, fact_kind, m.conversation_id, actor[i], m.id);
  end loop;
end $$;

create procedure journal_change_batch(change text[], message_id bigint[], actor bigint[], body text[], expected int[], moderate boolean[],
  inout positions bigint[], inout conversations bigint[], inout statuses smallint[], inout at timestamptz, inout batch_tag int, inout previous_tag int)
language plpgsql as $$
begin
  select * into positions, conversations, statuses, at, batch_tag, previous_tag from journal_change(change, message_id, actor, body, expected, moderate);
  commit;
end $$;

-- ---- Read markers -----------------------------------------------------------------------------------------------

-- Moves read markers forward. Statuses: 0 moved   1 it was there or beyond already, nothing written   3 not a member
-- A seq beyond the conversation's last one means "all of it". Each move is a fact with the marker in its payload.
create function journal_read(conv bigint[], reader bigint[], seq int[],
  out positions bigint[], out seqs int[], out statuses smallint[], out at timestamptz, out batch_tag int, out previous_tag int)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  head bigint; prev timestamptz; known int; upto int;
begin
  perform journal_lock();
  select h.head, h.at, h.tag into head, prev, previous_tag from journal_head() h;
  at := greatest(clock_timestamp(), prev);
  batch_tag := (random() * 2147483647)::int;
  for i in 1..cardinality(conv) loop
    positions[i] := null; seqs[i] := null;
    select least(seq[i], h.last_seq) into upto from conversation_head h
     where h.conversation_id = conv[i] and exists (select 1 from audience a
       where a.conversation_id = conv[i] and a.user_id = reader[i] and a.to_position is null);
    if not found then statuses[i] := 3; continue; end if;
    select r.seq into known from read_marker r where r.conversation_id = conv[i] and r.user_id = reader[i];
    known := coalesce(known, 0);
    if upto <= known then statuses[i] := 1; seqs[i] := known; continue; end if;
    insert into read_marker(conversation_id, user_id, seq, moved_at) values (conv[i], reader[i], upto, at)
      on conflict (conversation_id, user_id) do update set seq = excluded.seq, moved_at = excluded.moved_at;
    head := head + 1; positions[i] := head; seqs[i] := upto; statuses[i] := 0;
    insert into fact(position, tag, occurred_at, kind, conversation_id, actor_id, subject_id, payload)
      values (head, batch_tag, at, 10, conv[i], reader[i], reader[i], jsonb_build_object('seq', upto));
  end loop;
end $$;

create procedure journal_read_batch(conv bigint[], reader bigint[], seq int[],
  inout positions bigint[], inout seqs int[], inout statuses smallint[], inout at timestamptz, inout batch_tag int, inout previous_tag int)
language plpgsql as $$
begin
  select * into positions, seqs, statuses, at, batch_tag, previous_tag from journal_read(conv, reader, seq);
  commit;
end $$;

-- ---- Rare writes, with the marker of who joins -----------------------------------------------------------------

-- As before (20261121000000_journal), and: a join sets the joiner's read marker to the conversation's last message, and
-- says in its payload which one that is.
create or replace function journal_number() returns trigger language plpgsql volatile set enable_seqscan = off as $$
declare
  head bigint; prev timestamptz; at timestamptz; outsider bigint;
begin
  perform journal_lock();
  select h.head, h.at into head, prev from journal_head() h;
  at := greatest(clock_timestamp(), prev);
  select f.actor_id into outsider
    from jsonb_to_recordset(new.facts) as f(conversation_id bigint, actor_id bigint)
   where f.conversation_id is not null and f.actor_id is not null
     and not exists (select 1 from audience a
                      where a.conversation_id = f.conversation_id and a.user_id = f.actor_id and a.to_position is null)
     and not exists (select 1 from jsonb_to_recordset(new.facts) as j(conversation_id bigint, subject_id bigint, audience_change int)
                      where j.conversation_id = f.conversation_id and j.subject_id = f.actor_id and j.audience_change = 1)
   limit 1;
  if found then
    raise exception 'actor % is not in the audience', outsider using errcode = 'PY403';
  end if;
  with f as (
    insert into fact(position, tag, occurred_at, kind, conversation_id, user_id, actor_id, subject_id, audience_change, payload)
      select head + o, new.tag, at, kind, conversation_id, user_id, actor_id, subject_id, coalesce(audience_change, 0),
             case when audience_change = 1 and kind = 3 then jsonb_build_object('seq', coalesce(
               (select h.last_seq from conversation_head h where h.conversation_id = r.conversation_id), 0)) else payload end
        from rows from (jsonb_to_recordset(new.facts) as (
               kind smallint, conversation_id bigint, user_id bigint, actor_id bigint, subject_id bigint,
               audience_change smallint, payload jsonb)) with ordinality
             as r(kind, conversation_id, user_id, actor_id, subject_id, audience_change, payload, o)
      returning *),
  joins as (
    insert into audience select conversation_id, subject_id, position, null from f where audience_change = 1),
  markers as (   -- who joins has nothing unread: what was said before is history
    insert into read_marker(conversation_id, user_id, seq, moved_at)
      select f.conversation_id, f.subject_id, h.last_seq, at from f join conversation_head h on h.conversation_id = f.conversation_id
       where f.audience_change = 1 and f.kind = 3   -- MemberJoined; who comes back to a conversation that was closed has read what they had read
    on conflict (conversation_id, user_id) do update set seq = greatest(read_marker.seq, excluded.seq), moved_at = excluded.moved_at),
  leaves as (
    update audience a set to_position = f.position from f
     where f.audience_change = -1 and a.conversation_id = f.conversation_id and a.user_id = f.subject_id and a.to_position is null
    returning 1)
  insert into conversation_head(conversation_id, last_position)
    select conversation_id, max(position) from f where conversation_id is not null group by 1
    on conflict (conversation_id) do update set last_position = excluded.last_position;
  delete from journal_request where id = new.id;
  return null;
end $$;
