-- journal_send for messages in slow mode: a member's message must come at least `slow_ms` after their last one. A known key passes, as
-- do copies of one message. Messages that pass are appended together; the others get status 11, and in `waits_ms` how long to wait.
create or replace function journal_send_slow(conv bigint[], sender bigint[], client uuid[], hash bytea[], body text[], reply bigint[], mentions text[], spelling text[],
  attachments text[], kinds text[], sendable boolean[], data text[], ciphers bytea[], epochs int[], slow_ms int[],
  out positions bigint[], out seqs int[], out statuses smallint[], out at timestamptz, out batch_tag int, out previous_tag int, out waits_ms int[])
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  kept int[] := '{}'; fresh int[] := '{}'; wait int; p bigint[]; s int[]; t smallint[];
begin
  perform 1 from unnest(sender, client) u(s, cid) cross join lateral
    (select 1 from message where sender_id = u.s and client_message_id = u.cid limit 1) x;
  perform journal_lock();
  for i in 1..cardinality(client) loop
    positions[i] := null; seqs[i] := null; statuses[i] := 11; waits_ms[i] := null;
    if not exists (select 1 from message m where m.sender_id = sender[i] and m.client_message_id = client[i]) then
      wait := 0;
      if exists (select 1 from unnest(fresh) u(j) where conv[u.j] = conv[i] and sender[u.j] = sender[i] and client[u.j] <> client[i]) then
        wait := slow_ms[i];
      else
        select greatest(slow_ms[i] - extract(epoch from clock_timestamp() - a.slow_sent_at) * 1000, 0)::int into wait from audience a
         where a.conversation_id = conv[i] and a.user_id = sender[i] and a.to_position is null;
      end if;
      if wait > 0 then waits_ms[i] := wait; continue; end if;
      fresh := fresh || i;
    end if;
    kept := kept || i;
  end loop;
  select f.positions, f.seqs, f.statuses, f.at, f.batch_tag, f.previous_tag into p, s, t, at, batch_tag, previous_tag
    from (select array_agg(conv[k] order by o) c, array_agg(sender[k] order by o) sd, coalesce(array_agg(client[k] order by o), '{}') cl,
                 array_agg(hash[k] order by o) h, array_agg(body[k] order by o) b, array_agg(reply[k] order by o) r,
                 array_agg(mentions[k] order by o) m, array_agg(spelling[k] order by o) sp, array_agg(attachments[k] order by o) f,
                 array_agg(kinds[k] order by o) ki, array_agg(sendable[k] order by o) se, array_agg(data[k] order by o) d,
                 array_agg(ciphers[k] order by o) ci, array_agg(epochs[k] order by o) e
            from unnest(kept) with ordinality u(k, o)) x
   cross join lateral journal_send(x.c, x.sd, x.cl, x.h, x.b, x.r, x.m, x.sp, x.f, x.ki, x.se, x.d, x.ci, x.e) f;
  for k in 1..cardinality(kept) loop
    positions[kept[k]] := p[k]; seqs[kept[k]] := s[k]; statuses[kept[k]] := t[k];
    if t[k] = 0 then
      update audience a set slow_sent_at = journal_send_slow.at
       where a.conversation_id = conv[kept[k]] and a.user_id = sender[kept[k]] and a.to_position is null;
    end if;
  end loop;
end $$;
