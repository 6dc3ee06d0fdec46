-- Moves encrypted conversations to their next epochs, one input at a time: each needs short reads and writes, and commits are rarer than
-- sends. A commit is made for an epoch, and wins if that is still the newest one (compare and set). Welcomes are in arrays of their own:
-- `w_input` has the number of the input that each belongs to. `seen` is the position up to which the device knew the conversation; 0 if
-- it does not say. Each input gets a status:
--   0 done
--   1 a repeat: the same commit again
--   2 another commit came first, or somebody left and the device did not know
--   3 the sender is not a member
--   5 a Welcome is for a user who is not a member
--   8 the conversation is not encrypted
-- `positions` has the place of the commit; with status 2, of what came first, if that is known; `tags` has the tags there.
create or replace function journal_commit(conv bigint[], sender bigint[], device bigint[], made_for int[], commits bytea[], infos bytea[], seen bigint[],
  w_input int[], w_device bigint[], w_user bigint[], w_bytes bytea[],
  out positions bigint[], out tags int[], out statuses smallint[], out at timestamptz, out batch_tag int, out previous_tag int)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  head bigint; prev timestamptz; e epoch_head; won epoch_commit;
begin
  perform 1 from unnest(conv) u(c) cross join lateral (select 1 from epoch_head where conversation_id = u.c limit 1) x;
  perform journal_lock();
  select h.head, h.at, h.tag into head, prev, previous_tag from journal_head() h;
  at := greatest(clock_timestamp(), prev);
  batch_tag := journal_tag();
  for i in 1..cardinality(conv) loop
    positions[i] := null; tags[i] := null;
    select * into e from epoch_head x where x.conversation_id = conv[i];
    select * into won from epoch_commit x where x.conversation_id = conv[i] and x.epoch = made_for[i] + 1;
    if won.sender_id = sender[i] and won.commit = commits[i] then
      statuses[i] := 1; positions[i] := won.position;
    elsif not exists (select 1 from current_audience a where a.conversation_id = conv[i] and a.user_id = sender[i]) then
      statuses[i] := 3; continue;
    elsif e.conversation_id is null then statuses[i] := 8; continue;
    elsif e.epoch <> made_for[i] then
      statuses[i] := 2; positions[i] := won.position;
    elsif e.needs_rekey and seen[i] > 0 and seen[i] < e.rekey_position then
      statuses[i] := 2; positions[i] := e.rekey_position;
    end if;
    if statuses[i] is not null then
      if positions[i] is not null then tags[i] := (select f.tag from fact f where f.position = positions[i]); end if;
      if tags[i] is null then tags[i] := batch_tag; end if;   -- of this batch; the tag of a trimmed fact matters to nobody
      continue;
    end if;
    if exists (select 1 from unnest(w_input, w_user) w(input, id) where w.input = i
         and not exists (select 1 from current_audience a where a.conversation_id = conv[i] and a.user_id = w.id)) then
      statuses[i] := 5; continue;
    end if;
    statuses[i] := 0; head := head + 1; positions[i] := head; tags[i] := batch_tag;
    update epoch_head x set epoch = made_for[i] + 1, group_info = infos[i], needs_rekey = false where x.conversation_id = conv[i];
    insert into epoch_commit(position, conversation_id, epoch, sender_id, device_id, commit)
      values (head, conv[i], made_for[i] + 1, sender[i], device[i], commits[i]);
    insert into fact(position, tag, occurred_at, kind, conversation_id, actor_id, subject_id, payload)
      values (head, batch_tag, at, 41, conv[i], sender[i], device[i], jsonb_build_object('epoch', made_for[i] + 1));
    for w in 1..coalesce(cardinality(w_input), 0) loop
      if w_input[w] <> i then continue; end if;
      head := head + 1;
      insert into welcome(position, conversation_id, user_id, device_id, epoch, welcome)
        values (head, conv[i], w_user[w], w_device[w], made_for[i] + 1, w_bytes[w]);
      insert into fact(position, tag, occurred_at, kind, user_id, actor_id, subject_id, payload)
        values (head, batch_tag, at, 42, w_user[w], sender[i], w_device[w],
                jsonb_build_object('conversationId', conv[i], 'epoch', made_for[i] + 1));
    end loop;
  end loop;
end $$;
