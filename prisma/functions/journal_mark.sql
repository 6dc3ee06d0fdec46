-- Moves read markers forward. A seq beyond the conversation's last one means the last one. All markers that move in one
-- conversation are one fact (B6), and each of them gets its position. The payload lists them in the order of the inputs; actor and
-- subject are the reader of the first one. Each input gets a status:
--   0 moved
--   1 the marker was there or further already; nothing is written
--   3 the reader is not a member
create or replace function journal_mark(conv bigint[], reader bigint[], seq int[],
  out positions bigint[], out seqs int[], out statuses smallint[], out at timestamptz, out batch_tag int, out previous_tag int)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  head bigint; prev timestamptz; known int; upto int; at_conv int; facts int := 0;
  f_conv bigint[] := '{}'; f_reader bigint[] := '{}'; f_markers jsonb[] := '{}';
begin
  -- Read the pages before taking the lock: those that are not in memory are then loaded in parallel, and not under the lock.
  perform 1 from unnest(conv, reader) u(c, r) cross join lateral
    (select 1 from read_marker m where m.conversation_id = u.c and m.user_id = u.r limit 1) x;
  perform journal_lock();
  select h.head, h.at, h.tag into head, prev, previous_tag from journal_head() h;
  at := greatest(clock_timestamp(), prev);
  batch_tag := journal_tag();
  for i in 1..cardinality(conv) loop
    positions[i] := null; seqs[i] := null;
    select least(seq[i], h.last_seq) into upto from conversation_head h
     where h.conversation_id = conv[i] and exists (select 1 from current_audience a
       where a.conversation_id = conv[i] and a.user_id = reader[i]);
    if not found then statuses[i] := 3; continue; end if;
    select r.seq into known from read_marker r where r.conversation_id = conv[i] and r.user_id = reader[i];
    known := coalesce(known, 0);
    if upto <= known then statuses[i] := 1; seqs[i] := known; continue; end if;
    insert into read_marker(conversation_id, user_id, seq, moved_at) values (conv[i], reader[i], upto, at)
      on conflict (conversation_id, user_id) do update set seq = excluded.seq, moved_at = excluded.moved_at;
    at_conv := array_position(f_conv, conv[i]);
    if at_conv is null then
      facts := facts + 1; at_conv := facts;
      f_conv[at_conv] := conv[i]; f_reader[at_conv] := reader[i]; f_markers[at_conv] := '[]';
    end if;
    f_markers[at_conv] := f_markers[at_conv] || jsonb_build_object('userId', reader[i], 'seq', upto);
    positions[i] := head + at_conv; seqs[i] := upto; statuses[i] := 0;
  end loop;
  for i in 1..facts loop
    insert into fact(position, tag, occurred_at, kind, conversation_id, actor_id, subject_id, payload)
      values (head + i, batch_tag, at, 10, f_conv[i], f_reader[i], f_reader[i],
        jsonb_build_object('markers', f_markers[i]));
  end loop;
end $$;
