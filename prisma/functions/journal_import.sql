-- Stores messages of another system, with their own times, in conversations that nobody hears yet. Each input gets a status:
--   0 stored
--   1 a repeat: the first message again
--   2 the key was used with other content
--   3 its import is over: it is not `open`, or it has members by now
--   4 the message replied to is not in this conversation
--   5 older than the newest message of the conversation
-- `reply` is the key of the message replied to: its id is known here only. Row by row: an import may be slow, and a batch is short.
create or replace function journal_import(conv bigint[], sender bigint[], client uuid[], hash bytea[], body text[], reply uuid[], mentions text[], data text[],
  written timestamptz[], open boolean[],
  out positions bigint[], out seqs int[], out replies bigint[], out statuses smallint[], out at timestamptz, out batch_tag int, out previous_tag int)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  head bigint; prev timestamptz; known record; target bigint; newest record;
begin
  perform journal_lock();
  select h.head, h.at, h.tag into head, prev, previous_tag from journal_head() h;
  at := greatest(clock_timestamp(), prev);
  batch_tag := journal_tag();
  for i in 1..cardinality(client) loop
    positions[i] := null; seqs[i] := null; replies[i] := null; target := null;
    select m.id, m.seq, m.request_hash = hash[i] as same into known
      from message m where m.client_message_id = client[i] and m.sender_id = sender[i];
    if found then
      statuses[i] := case when known.same then 1 else 2 end;
      if known.same then positions[i] := known.id; seqs[i] := known.seq; end if;
      continue;
    end if;
    if not open[i] or exists (select 1 from audience a where a.conversation_id = conv[i]) then statuses[i] := 3; continue; end if;
    if reply[i] is not null then
      select m.id into target from message m where m.client_message_id = reply[i] and m.conversation_id = conv[i] limit 1;
      if not found then statuses[i] := 4; continue; end if;
    end if;
    select h.last_seq as seq, m.created_at as written into newest
      from conversation_head h left join message m on m.id = h.last_position where h.conversation_id = conv[i];
    if newest.written > written[i] then statuses[i] := 5; continue; end if;
    head := head + 1;
    statuses[i] := 0; positions[i] := head; seqs[i] := coalesce(newest.seq, 0) + 1; replies[i] := target;
    insert into conversation_head(conversation_id, last_seq, last_position, last_activity_at) values (conv[i], seqs[i], head, at)
      on conflict (conversation_id) do update
        set last_seq = excluded.last_seq, last_position = excluded.last_position, last_activity_at = excluded.last_activity_at;
    insert into fact(position, tag, occurred_at, kind, conversation_id, actor_id, subject_id)
      values (head, batch_tag, at, 1, conv[i], sender[i], head);
    insert into message(id, conversation_id, seq, sender_id, client_message_id, request_hash, text, created_at, reply_to_id, mentioned_user_ids,
        attachment_ids, data)
      values (head, conv[i], seqs[i], sender[i], client[i], hash[i], body[i], written[i], target, mentions[i]::bigint[], '{}', data[i]::json);
    insert into mention(user_id, conversation_id, seq)
      select distinct u.id, conv[i], seqs[i] from unnest(mentions[i]::bigint[]) u(id) where u.id <> sender[i];
  end loop;
end $$;
