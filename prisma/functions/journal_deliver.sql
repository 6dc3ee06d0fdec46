-- Tells the audience of a conversation how far messages have been delivered to members. Nothing else is stored: each device's place is
-- in `acknowledgement`. All markers of one conversation in a call are one fact (B6), and each of them gets its position. The payload lists
-- them in the order of the inputs; actor and subject are the receiver of the first one. Each input gets a status:
--   0 told
--   3 the receiver is not in the audience
create or replace function journal_deliver(conv bigint[], receiver bigint[], seq int[],
  out positions bigint[], out statuses smallint[], out at timestamptz, out batch_tag int, out previous_tag int)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  head bigint; prev timestamptz; at_conv int; facts int := 0;
  f_conv bigint[] := '{}'; f_receiver bigint[] := '{}'; f_markers jsonb[] := '{}';
begin
  -- Read the pages before taking the lock: those that are not in memory are then loaded in parallel, and not under the lock.
  perform 1 from unnest(conv, receiver) u(c, r) cross join lateral
    (select 1 from audience a where a.conversation_id = u.c and a.user_id = u.r limit 1) x;
  perform journal_lock();
  select h.head, h.at, h.tag into head, prev, previous_tag from journal_head() h;
  at := greatest(clock_timestamp(), prev);
  batch_tag := journal_tag();
  for i in 1..cardinality(conv) loop
    positions[i] := null; statuses[i] := 3;
    if not exists (select 1 from current_audience a where a.conversation_id = conv[i] and a.user_id = receiver[i]) then continue; end if;
    at_conv := array_position(f_conv, conv[i]);
    if at_conv is null then
      facts := facts + 1; at_conv := facts;
      f_conv[at_conv] := conv[i]; f_receiver[at_conv] := receiver[i]; f_markers[at_conv] := '[]';
    end if;
    f_markers[at_conv] := f_markers[at_conv] || jsonb_build_object('userId', receiver[i], 'seq', seq[i]);
    positions[i] := head + at_conv; statuses[i] := 0;
  end loop;
  for i in 1..facts loop
    insert into fact(position, tag, occurred_at, kind, conversation_id, actor_id, subject_id, payload)
      values (head + i, batch_tag, at, 32, f_conv[i], f_receiver[i], f_receiver[i], jsonb_build_object('markers', f_markers[i]));
  end loop;
end $$;
