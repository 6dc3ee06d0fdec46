-- Numbers the facts of rare writes inside COMMIT. The caller chooses the tag, and finds its facts by it after COMMIT.
--
-- Each actor must be in the conversation's audience at this moment, or join it in the same request. Otherwise nothing is committed
-- (PY403), so a member who was removed in the meantime writes nothing.
--
-- A join (kind 3, MemberJoined) sets the new member's read marker to the conversation's last message, because older messages are
-- history; its payload has the seq of that message. If the request says `since_joining`, the new member sees no earlier message. The
-- request says it because the setting is in an S table, whose row the writer has locked; the seq is known only here, at the
-- position of the join. A user who returns to a direct conversation that was closed (another kind) keeps their marker.
--
-- A conversation whose facts say `encrypted` is one from here on, before anybody joins it. If somebody leaves an encrypted one, or a fact
-- says `rekey`, it needs a commit before the next message; before its first commit there is nothing to leave.
--
-- What a user has hidden stays hidden after they return.
--
-- The commit does not wait for the disk: the caller must CALL journal_flush before anyone gets an answer (B1).
create or replace function journal_number() returns trigger language plpgsql volatile set enable_seqscan = off as $$
declare
  head bigint; prev timestamptz; at timestamptz; outsider bigint; since_joining bigint[]; rekeyed bigint[];
begin
  perform journal_lock();
  select h.head, h.at into head, prev from journal_head() h;
  at := greatest(clock_timestamp(), prev);
  select f.actor_id into outsider
    from jsonb_to_recordset(new.facts) as f(conversation_id bigint, actor_id bigint)
   where f.conversation_id is not null and f.actor_id is not null
     and not exists (select 1 from current_audience a
                      where a.conversation_id = f.conversation_id and a.user_id = f.actor_id)
     and not exists (select 1 from jsonb_to_recordset(new.facts) as j(conversation_id bigint, subject_id bigint, audience_change int)
                      where j.conversation_id = f.conversation_id and j.subject_id = f.actor_id and j.audience_change = 1)
   limit 1;
  if found then
    raise exception 'actor % is not in the audience', outsider using errcode = 'PY403';
  end if;
  since_joining := array(select distinct f.conversation_id
    from jsonb_to_recordset(new.facts) as f(conversation_id bigint, since_joining boolean) where f.since_joining);
  if jsonb_path_exists(new.facts, '$[*] ? (@.encrypted == true || @.rekey == true)') then
    insert into epoch_head(conversation_id)
      select distinct f.conversation_id from jsonb_to_recordset(new.facts) as f(conversation_id bigint, encrypted boolean) where f.encrypted
      on conflict do nothing;
    rekeyed := array(select f.conversation_id from jsonb_to_recordset(new.facts) as f(conversation_id bigint, rekey boolean) where f.rekey);
  end if;
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
    insert into audience(conversation_id, user_id, from_position, visible_from_seq, encrypted, hides_messages)
      select conversation_id, subject_id, position, coalesce((payload ->> 'visibleFromSeq')::int, 0),
             exists (select 1 from epoch_head e where e.conversation_id = f.conversation_id),
             exists (select 1 from hidden_message h where h.user_id = f.subject_id and h.conversation_id = f.conversation_id)
        from f where audience_change = 1),
  markers as (
    insert into read_marker(conversation_id, user_id, seq, moved_at)
      select f.conversation_id, f.subject_id, h.last_seq, at from f join conversation_head h on h.conversation_id = f.conversation_id
       where f.audience_change = 1 and f.kind = 3
    on conflict (conversation_id, user_id) do update set seq = greatest(read_marker.seq, excluded.seq), moved_at = excluded.moved_at),
  leaves as (
    update audience a set to_position = f.position from f
     where f.audience_change = -1 and a.conversation_id = f.conversation_id and a.user_id = f.subject_id and a.to_position is null
    returning 1),
  rekeys as (
    update epoch_head e set needs_rekey = true, rekey_position = g.position
      from (select f.conversation_id, max(f.position) as position from f
             where f.audience_change = -1 or f.conversation_id = any (rekeyed) group by 1) g
     where e.conversation_id = g.conversation_id and e.epoch > 0)
  insert into conversation_head(conversation_id, last_position, last_activity_at)
    select conversation_id, max(position), at from f where conversation_id is not null and kind <> 40 group by 1   -- a device (DevicesChanged) is no activity
    on conflict (conversation_id) do update set last_position = excluded.last_position, last_activity_at = excluded.last_activity_at;
  delete from journal_request where id = new.id;
  perform set_config('synchronous_commit', 'off', true);
  return null;
end $$;

do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'journal_number' and tgrelid = 'journal_request'::regclass) then
    create constraint trigger journal_number after insert on journal_request
      deferrable initially deferred for each row execute function journal_number();
  end if;
end $$;
