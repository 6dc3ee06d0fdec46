-- Changes messages under one lock, one input at a time: each needs a short read and a short write, and changes are rarer than sends.
-- `change` is one of:
--   edit             body is the new text; expected is the version that the editor saw; data is the new custom data as JSON text,
--                    'null' to remove it, or null to leave it
--   delete           for everyone; by the sender, or by an actor with entitled = true
--   remove           the same by order of a moderator, who need not be a member: the actor is 0
--   react, unreact   body is the emoji; both are idempotent
--   pin, unpin       by an actor with entitled = true; both are idempotent
--   hide, unhide     for the actor alone, whose own fact it is; both are idempotent
-- The caller decides who is entitled. Actors can change only messages that they see. Edits and deletions store their position in the
-- message. A message has at most `emoji_max` different emoji, a conversation at most `pins_max` pins. Each input gets a status:
--   0 done
--   1 no change: it was so already, and nothing is written
--   2 conflict: the message has another version
--   3 no such message, or the actor is not a member or does not see it
--   4 the message is deleted
--   5 the message is another sender's, or the actor is not entitled
--   6 too many different emoji
--   7 too many pins
--   8 the message is encrypted: its edits and reactions are messages, too
drop function if exists journal_change(text[], bigint[], bigint[], text[], int[], boolean[], int, int);
create or replace function journal_change(change text[], message_id bigint[], actor bigint[], body text[], expected int[], entitled boolean[],
  data text[], emoji_max int, pins_max int,
  out positions bigint[], out conversations bigint[], out statuses smallint[], out at timestamptz, out batch_tag int, out previous_tag int)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  head bigint; prev timestamptz; m message; fact_kind smallint; changed int; datum text;
begin
  perform 1 from unnest(message_id) u(id) cross join lateral (select 1 from message x where x.id = u.id limit 1) x;
  perform journal_lock();
  select h.head, h.at, h.tag into head, prev, previous_tag from journal_head() h;
  at := greatest(clock_timestamp(), prev);
  batch_tag := journal_tag();
  for i in 1..cardinality(message_id) loop
    positions[i] := null; conversations[i] := null;
    select * into m from message x where x.id = message_id[i];
    if not found or change[i] <> 'remove' and not exists (select 1 from current_audience a
         where a.conversation_id = m.conversation_id and a.user_id = actor[i] and m.seq > a.visible_from_seq) then
      statuses[i] := 3; continue;
    end if;
    if change[i] = 'edit' then
      fact_kind := 7;
      if m.deleted_at is not null then statuses[i] := 4; continue; end if;
      if m.sender_id <> actor[i] then statuses[i] := 5; continue; end if;
      if m.epoch is not null then statuses[i] := 8; continue; end if;
      datum := case when data[i] is null then m.data::text when data[i] <> 'null' then data[i] end;
      if m.text = body[i] and datum is not distinct from m.data::text then statuses[i] := 1; continue; end if;
      if expected[i] is not null and m.version <> expected[i] then statuses[i] := 2; continue; end if;
      insert into message_version(message_id, version, text, written_at) values (m.id, m.version, m.text, coalesce(m.edited_at, m.created_at));
      update message x set text = body[i], data = datum::json, version = m.version + 1, edited_at = at, changed_position = head + 1 where x.id = m.id;
    elsif change[i] in ('delete', 'remove') then
      fact_kind := 8;
      if change[i] = 'delete' and m.sender_id <> actor[i] and not entitled[i] then statuses[i] := 5; continue; end if;
      if m.deleted_at is not null then statuses[i] := 1; continue; end if;
      update message x set text = '', version = m.version + 1, deleted_at = at, mentioned_user_ids = '{}', reply_to_id = null,
        attachment_ids = '{}', data = null, ciphertext = null, changed_position = head + 1 where x.id = m.id;
      update message_attachment x set removed_at = at where x.attachment_id = any (m.attachment_ids);
      delete from message_version v where v.message_id = m.id;
      delete from reaction r where r.message_id = m.id;
      delete from pin p where p.conversation_id = m.conversation_id and p.message_id = m.id;
      delete from mention n where n.conversation_id = m.conversation_id and n.seq = m.seq and n.user_id = any (m.mentioned_user_ids);
    elsif change[i] = 'react' then
      fact_kind := 9;
      if m.deleted_at is not null then statuses[i] := 4; continue; end if;
      if m.epoch is not null then statuses[i] := 8; continue; end if;
      if not exists (select 1 from reaction r where r.message_id = m.id and r.emoji = body[i])
         and (select count(distinct r.emoji) from reaction r where r.message_id = m.id) >= emoji_max then statuses[i] := 6; continue; end if;
      insert into reaction(message_id, emoji, user_id, created_at) values (m.id, body[i], actor[i], at) on conflict do nothing;
      get diagnostics changed = row_count;
      if changed = 0 then statuses[i] := 1; continue; end if;
    elsif change[i] in ('pin', 'unpin') then
      fact_kind := 14;
      if not entitled[i] then statuses[i] := 5; continue; end if;
      if m.deleted_at is not null and change[i] = 'pin' then statuses[i] := 4; continue; end if;
      if change[i] = 'unpin' then
        delete from pin p where p.conversation_id = m.conversation_id and p.message_id = m.id;
      elsif (select count(*) from pin p where p.conversation_id = m.conversation_id and p.message_id <> m.id) >= pins_max then
        statuses[i] := 7; continue;
      else
        insert into pin(conversation_id, message_id, pinned_by, pinned_at) values (m.conversation_id, m.id, actor[i], at) on conflict do nothing;
      end if;
      get diagnostics changed = row_count;
      if changed = 0 then statuses[i] := 1; continue; end if;
    elsif change[i] = 'hide' then
      fact_kind := 50;
      insert into hidden_message(user_id, conversation_id, seq, hidden_at) values (actor[i], m.conversation_id, m.seq, at) on conflict do nothing;
      get diagnostics changed = row_count;
      if changed = 0 then statuses[i] := 1; continue; end if;
      update audience a set hides_messages = true
       where a.conversation_id = m.conversation_id and a.user_id = actor[i] and a.to_position is null and not a.hides_messages;
    elsif change[i] = 'unhide' then
      fact_kind := 51;
      delete from hidden_message h where h.user_id = actor[i] and h.conversation_id = m.conversation_id and h.seq = m.seq;
      get diagnostics changed = row_count;
      if changed = 0 then statuses[i] := 1; continue; end if;
    else
      fact_kind := 9;
      delete from reaction r where r.message_id = m.id and r.emoji = body[i] and r.user_id = actor[i];
      get diagnostics changed = row_count;
      if changed = 0 then statuses[i] := 1; continue; end if;
    end if;
    head := head + 1; positions[i] := head; conversations[i] := m.conversation_id; statuses[i] := 0;
    if fact_kind in (50, 51) then
      insert into fact(position, tag, occurred_at, kind, user_id, actor_id, subject_id)
        values (head, batch_tag, at, fact_kind, actor[i], actor[i], m.id);
    else
      insert into fact(position, tag, occurred_at, kind, conversation_id, actor_id, subject_id)
        values (head, batch_tag, at, fact_kind, m.conversation_id, actor[i], m.id);
    end if;
  end loop;
end $$;
