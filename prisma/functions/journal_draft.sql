-- Saves drafts: the last one that the journal takes is the draft on all devices of its author, whose own fact it is. An empty text that
-- replies to nothing removes the draft. Each input gets a status:
--   0 saved
--   1 it was so already, and nothing is written
--   3 the author is not a member
--   5 the message to reply to is not in the conversation, or the author does not see it
--   8 the conversation is encrypted: a draft is in the clear
create or replace function journal_draft(conv bigint[], author bigint[], body text[], reply bigint[],
  out positions bigint[], out statuses smallint[], out at timestamptz, out batch_tag int, out previous_tag int)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  head bigint; prev timestamptz; visible_from int; changed int;
begin
  perform 1 from unnest(conv, author) u(c, a) cross join lateral
    (select 1 from draft d where d.user_id = u.a and d.conversation_id = u.c limit 1) x;
  perform journal_lock();
  select h.head, h.at, h.tag into head, prev, previous_tag from journal_head() h;
  at := greatest(clock_timestamp(), prev);
  batch_tag := journal_tag();
  for i in 1..cardinality(conv) loop
    positions[i] := null;
    select a.visible_from_seq into visible_from from current_audience a where a.conversation_id = conv[i] and a.user_id = author[i];
    if not found then statuses[i] := 3; continue; end if;
    if body[i] = '' and reply[i] is null then
      delete from draft d where d.user_id = author[i] and d.conversation_id = conv[i];
    else
      if exists (select 1 from epoch_head e where e.conversation_id = conv[i]) then statuses[i] := 8; continue; end if;
      if reply[i] is not null and not exists (select 1 from message m
           where m.id = reply[i] and m.conversation_id = conv[i] and m.seq > visible_from) then statuses[i] := 5; continue; end if;
      insert into draft as d (user_id, conversation_id, text, reply_to_id, saved_at) values (author[i], conv[i], body[i], reply[i], at)
        on conflict (user_id, conversation_id) do update set text = excluded.text, reply_to_id = excluded.reply_to_id, saved_at = excluded.saved_at
          where (d.text, d.reply_to_id) is distinct from (excluded.text, excluded.reply_to_id);
    end if;
    get diagnostics changed = row_count;
    if changed = 0 then statuses[i] := 1; continue; end if;
    head := head + 1; positions[i] := head; statuses[i] := 0;
    insert into fact(position, tag, occurred_at, kind, user_id, actor_id, subject_id)
      values (head, batch_tag, at, 52, author[i], author[i], conv[i]);
  end loop;
end $$;
