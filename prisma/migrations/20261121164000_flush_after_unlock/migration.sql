-- Flush after unlock (B1): whoever holds the journal's lock does not wait for the disk. An append is committed without that
-- wait, and so is visible and unlocked at once; then, without the lock, one flush brings it to disk together with what all
-- others have appended meanwhile. Nobody is answered before it, nor told. What is read from Postgres and kept or handed on
-- has to pass a flush as well: it may be visible and not yet on disk (src/store/flush.ts).

-- The flush. When it returns, all that was visible when it was called is on disk, and on the stand-bys that
-- synchronous_standby_names waits for: a commit of our own waits for everything before it, by the session's
-- synchronous_commit. Where `upto` is given it is for what was visible at that place of the log alone. Nothing is to be done
-- where somebody else's flush was that far already; what a stand-by has, nobody can see from here.
create procedure journal_flush(upto pg_lsn) language plpgsql as $$
begin
  if current_setting('synchronous_standby_names') <> '' or pg_current_wal_flush_lsn() < coalesce(upto, pg_current_wal_insert_lsn()) then
    perform pg_logical_emit_message(true, 'parley', '');
    commit;
  end if;
end $$;

-- ---- Hot writes: as before, and flushed after the lock is let go ------------------------------------------------

create or replace procedure journal_send_batch(conv bigint[], sender bigint[], client uuid[], hash bytea[], body text[], reply bigint[], mentions text[],
  inout positions bigint[], inout seqs int[], inout statuses smallint[], inout at timestamptz, inout batch_tag int, inout previous_tag int)
language plpgsql as $$
begin
  set local synchronous_commit = off;
  select * into positions, seqs, statuses, at, batch_tag, previous_tag from journal_send(conv, sender, client, hash, body, reply, mentions);
  commit;
  call journal_flush(null);   -- also where all were repeats: the first of them may be visible and not yet on disk
end $$;

create or replace procedure journal_change_batch(change text[], message_id bigint[], actor bigint[], body text[], expected int[], entitled boolean[],
  inout positions bigint[], inout conversations bigint[], inout statuses smallint[], inout at timestamptz, inout batch_tag int, inout previous_tag int)
language plpgsql as $$
begin
  set local synchronous_commit = off;
  select * into positions, conversations, statuses, at, batch_tag, previous_tag from journal_change(change, message_id, actor, body, expected, entitled);
  commit;
  call journal_flush(null);
end $$;

create or replace procedure journal_mark_batch(conv bigint[], reader bigint[], seq int[],
  inout positions bigint[], inout seqs int[], inout statuses smallint[], inout at timestamptz, inout batch_tag int, inout previous_tag int)
language plpgsql as $$
begin
  set local synchronous_commit = off;
  select * into positions, seqs, statuses, at, batch_tag, previous_tag from journal_mark(conv, reader, seq);
  commit;
  call journal_flush(null);
end $$;

create or replace procedure journal_forget_batch(who bigint, most int, inout removed int) language plpgsql as $$
begin
  set local synchronous_commit = off;
  select f.removed into removed from journal_forget(who, most) f;
  commit;
  call journal_flush(null);
end $$;

-- A step of the trimmer is not flushed at all: nobody is answered by it. One that is lost is done again, and a log that ends
-- before it holds the facts, and the floor below them. (journal_new_epoch and journal_read_batch stay as they are, visible
-- only when they are on disk: the one is by hand and rare, the other is for nodes of a version before.)
create or replace procedure journal_trim_batch(keep interval, most int, inout removed int, inout floor bigint) language plpgsql as $$
declare
  step record;
begin
  set local synchronous_commit = off;
  select * into step from journal_trim(keep, most);
  removed := step.removed; floor := step.floor;
  commit;
end $$;

-- ---- Rare writes ------------------------------------------------------------------------------------------------

-- Who makes the request says that they CALL journal_flush before they answer. Who does not say so waits for the disk in
-- COMMIT, under the lock: nodes of the version before this one, and hands.
alter table journal_request add column is_flushed_after boolean not null default false;

-- As before (20261121140000_groups), and: it does not wait for the disk where that is promised.
create or replace function journal_number() returns trigger language plpgsql volatile set enable_seqscan = off as $$
declare
  head bigint; prev timestamptz; at timestamptz; outsider bigint; since_joining bigint[];
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
  since_joining := array(select distinct f.conversation_id
    from jsonb_to_recordset(new.facts) as f(conversation_id bigint, since_joining boolean) where f.since_joining);
  with f as (
    insert into fact(position, tag, occurred_at, kind, conversation_id, user_id, actor_id, subject_id, audience_change, payload)
      select head + o, new.tag, at, kind, conversation_id, user_id, actor_id, subject_id, coalesce(audience_change, 0),
             case when audience_change = 1 and kind = 3 then (
               select jsonb_build_object('seq', upto.seq)
                 || case when r.conversation_id = any(since_joining) then jsonb_build_object('visibleFromSeq', upto.seq) else '{}' end
                 from (select coalesce((select h.last_seq from conversation_head h where h.conversation_id = r.conversation_id), 0)) upto(seq))
             else payload end
        from rows from (jsonb_to_recordset(new.facts) as (
               kind smallint, conversation_id bigint, user_id bigint, actor_id bigint, subject_id bigint,
               audience_change smallint, payload jsonb)) with ordinality
             as r(kind, conversation_id, user_id, actor_id, subject_id, audience_change, payload, o)
      returning *),
  joins as (
    insert into audience(conversation_id, user_id, from_position, visible_from_seq)
      select conversation_id, subject_id, position, coalesce((payload ->> 'visibleFromSeq')::int, 0) from f where audience_change = 1),
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
  if new.is_flushed_after then
    perform set_config('synchronous_commit', 'off', true);   -- the lock does not wait for the disk: who asked for it does
  end if;
  return null;
end $$;
