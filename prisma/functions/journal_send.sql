-- Stores a batch of messages: locks, reads with a fresh snapshot, numbers, writes. Each input gets a status:
--   0 sent
--   1 a repeat: the first message again
--   2 the key was used with other content
--   3 the sender is not a member; the sender 0 (the backend of the product) needs only a conversation with members
--   4 the message replied to is not in this conversation, or the sender does not see it; a deleted one can be replied to
--   5 a mentioned user is not a member
--   6 the caller found an attachment that the sender may not send
--   7 an attachment is already in another message
--   8 a text in an encrypted conversation, or a ciphertext in a plain one
--   9 somebody left the encrypted conversation, and no commit came since
--  10 the ciphertext is of another epoch than the newest and the one before
-- The caller reads the attachments, which are in an S table: `attachments` has one array literal of their ids for each input,
-- `kinds` one of their kinds, and `sendable` whether the sender may send them all. The three are null if no input has any; so is
-- `data`, which has the custom data as JSON text, and `ciphers` and `epochs`, which have the ciphertexts and their epochs.
-- `mentions` has one array literal of user ids for each input, because Postgres has no ragged arrays. `spelling` is the key as the
-- sender spelt it, if Postgres writes that uuid differently.
--
-- Look-ups are LATERAL … LIMIT 1, and numbering is a loop over arrays, so there is no join that a planner could reverse on a fresh
-- database. `previous_tag` is the tag of the fact before the first one: by it, followers check that they share the history.
drop function if exists journal_send(bigint[], bigint[], uuid[], bytea[], text[], bigint[], text[], text[]);
drop function if exists journal_send(bigint[], bigint[], uuid[], bytea[], text[], bigint[], text[], text[], text[], text[], boolean[]);
drop function if exists journal_send(bigint[], bigint[], uuid[], bytea[], text[], bigint[], text[], text[], text[], text[], boolean[], text[]);
create or replace function journal_send(conv bigint[], sender bigint[], client uuid[], hash bytea[], body text[], reply bigint[], mentions text[], spelling text[],
  attachments text[], kinds text[], sendable boolean[], data text[], ciphers bytea[], epochs int[],
  out positions bigint[], out seqs int[], out statuses smallint[], out at timestamptz, out batch_tag int, out previous_tag int)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  head bigint; prev timestamptz; n int := cardinality(client); k int := 0; a_seq int[];
  same boolean[]; member boolean[]; encrypted boolean[]; answerable boolean[]; mentionable boolean[];
  taken boolean[] := array_fill(false, array[cardinality(client)]); copy_of int[]; key_at int[]; sent_as int[] := array_fill(null::int, array[cardinality(client)]); bases jsonb;
  a_pos bigint[]; a_conv bigint[]; a_sender bigint[]; a_client uuid[]; a_hash bytea[]; a_body text[]; a_reply bigint[]; a_mentions text[]; a_spelling text[];
  a_attachments text[]; a_kinds text[]; a_data text[]; a_ciphers bytea[]; a_epochs int[]; newest epoch_head; attached bigint[]; used bigint[] := '{}';
begin
  -- Read the pages before taking the lock: those that are not in memory are then loaded in parallel, and not under the lock.
  perform 1 from unnest(sender, client) u(s, cid) cross join lateral
    (select 1 from message where sender_id = u.s and client_message_id = u.cid limit 1) x;
  perform 1 from unnest(conv, sender) u(c, s) cross join lateral
    (select 1 from current_audience where conversation_id = u.c and user_id = u.s limit 1) x;
  perform journal_lock();
  select h.head, h.at, h.tag into head, prev, previous_tag from journal_head() h;
  at := greatest(clock_timestamp(), prev);
  batch_tag := journal_tag();
  select array_agg(x.id order by i.ord), array_agg(x.seq order by i.ord), array_agg(x.request_hash = i.h order by i.ord),
         array_agg(a.ok is not null order by i.ord), array_agg(coalesce(a.encrypted, false) order by i.ord), array_agg(i.r is null or coalesce(r.conversation_id = i.c and r.seq > a.visible_from_seq, false) order by i.ord),
         array_agg(i.m = '{}' or not exists (
           select 1 from unnest(i.m::bigint[]) u(id) left join lateral
             (select true as ok from current_audience where conversation_id = i.c and user_id = u.id limit 1) o on true
            where o.ok is null) order by i.ord),
         array_agg(i.copy_of order by i.ord), array_agg(i.key_at order by i.ord)
    into positions, seqs, same, member, encrypted, answerable, mentionable, copy_of, key_at
    from (select u.*, first_value(u.ord) over (partition by u.s, u.cid, u.h order by u.ord) as copy_of,
                      first_value(u.ord) over (partition by u.s, u.cid order by u.ord) as key_at
            from unnest(conv, sender, client, hash, reply, mentions) with ordinality as u(c, s, cid, h, r, m, ord)) i
    left join lateral (select id, seq, request_hash from message where sender_id = i.s and client_message_id = i.cid limit 1) x on true
    left join lateral (select true as ok, visible_from_seq, current_audience.encrypted from current_audience
                        where conversation_id = i.c and user_id = i.s limit 1) a on true
    left join lateral (select conversation_id, seq from message where id = i.r limit 1) r on true;   -- by its key alone (B3)
  for i in 1..n loop
    if positions[i] is not null then statuses[i] := case when same[i] then 1 else 2 end;
    elsif copy_of[i] < i and sent_as[copy_of[i]] is not null then   -- as if it came alone, after the inputs before it
      statuses[i] := 1; copy_of[i] := sent_as[copy_of[i]];
    elsif taken[key_at[i]] then statuses[i] := 2;
    -- The copies of a ciphertext may be of other epochs: each is looked at.
    elsif copy_of[i] < i and (ciphers is null or ciphers[i] is null) then statuses[i] := statuses[copy_of[i]];
    elsif not member[i] and not (sender[i] = 0 and exists (select 1 from current_audience where conversation_id = conv[i])) then statuses[i] := 3;
    elsif encrypted[i] <> (ciphers is not null and ciphers[i] is not null)
       or sender[i] = 0 and exists (select 1 from current_audience a where a.conversation_id = conv[i] and a.encrypted) then statuses[i] := 8;
    elsif not answerable[i] then statuses[i] := 4;
    elsif not mentionable[i] then statuses[i] := 5;
    else
      if encrypted[i] then
        select * into newest from epoch_head h where h.conversation_id = conv[i];
        if newest.needs_rekey then statuses[i] := 9; continue; end if;
        if epochs[i] not in (newest.epoch, newest.epoch - 1) then statuses[i] := 10; continue; end if;
      end if;
      attached := coalesce(attachments[i], '{}')::bigint[];
      if attached <> '{}' then
        if not sendable[i] then statuses[i] := 6; continue; end if;
        if attached && used or exists (select 1 from message_attachment x where x.attachment_id = any (attached)) then
          statuses[i] := 7; continue;
        end if;
        used := used || attached;
      end if;
      a_attachments[k + 1] := attached::text; a_kinds[k + 1] := coalesce(kinds[i], '{}'); a_data[k + 1] := data[i];
      a_ciphers[k + 1] := ciphers[i]; a_epochs[k + 1] := epochs[i];
      statuses[i] := 0; taken[key_at[i]] := true; sent_as[copy_of[i]] := i; copy_of[i] := i; k := k + 1; positions[i] := head + k;
      a_pos[k] := head + k; a_conv[k] := conv[i]; a_sender[k] := sender[i]; a_client[k] := client[i]; a_hash[k] := hash[i];
      a_body[k] := body[i]; a_reply[k] := reply[i]; a_mentions[k] := mentions[i]; a_spelling[k] := spelling[i];
    end if;
  end loop;
  if k > 0 then
    with g as (select c, count(*)::int n, max(p) p from unnest(a_conv, a_pos) u(c, p) group by c),
    h as (update conversation_head h set last_seq = h.last_seq + g.n, last_position = g.p, last_activity_at = at
            from g where h.conversation_id = g.c returning h.conversation_id c, h.last_seq - g.n as base)
    select jsonb_object_agg(h.c::text, h.base) into bases from h;
    insert into fact(position, tag, occurred_at, kind, conversation_id, actor_id, subject_id)
      select p, batch_tag, at, 1, c, s, p from unnest(a_pos, a_conv, a_sender) u(p, c, s);
    with w as (
      insert into message(id, conversation_id, seq, sender_id, client_message_id, request_hash, text, created_at, reply_to_id, mentioned_user_ids,
        client_message_spelling, attachment_ids, data, ciphertext, epoch)
        select p, c, (bases ->> c::text)::int + row_number() over (partition by c order by p), s, cid, h, t, at, r, m::bigint[], sp, f::bigint[], d::json, x, e
          from unnest(a_pos, a_conv, a_sender, a_client, a_hash, a_body, a_reply, a_mentions, a_spelling, a_attachments, a_data, a_ciphers, a_epochs)
            u(p, c, s, cid, h, t, r, m, sp, f, d, x, e)
        returning id, conversation_id, seq, sender_id, mentioned_user_ids),
    named as (
      insert into mention(user_id, conversation_id, seq)
        select distinct u.id, w.conversation_id, w.seq from w cross join lateral unnest(w.mentioned_user_ids) u(id)
         where u.id <> w.sender_id)
    select array_agg(seq order by id) into a_seq from w;
    if used <> '{}' then
      insert into message_attachment(attachment_id, conversation_id, message_id, place, kind)
        select f.id, u.c, u.p, u.q::bigint * 16 + f.ord, f.kind from unnest(a_pos, a_conv, a_seq, a_attachments, a_kinds) u(p, c, q, ids, kinds)
         cross join lateral unnest(u.ids::bigint[], u.kinds::smallint[]) with ordinality f(id, kind, ord);
    end if;
    k := 0;
    for i in 1..n loop if statuses[i] = 0 then k := k + 1; seqs[i] := a_seq[k]; end if; end loop;
  end if;
  for i in 1..n loop
    if statuses[i] > 1 then positions[i] := null; seqs[i] := null;
    elsif copy_of[i] < i then positions[i] := positions[copy_of[i]]; seqs[i] := seqs[copy_of[i]]; end if;
  end loop;
end $$;
