-- The ids of matching messages that a viewer may see: at most `most`, starting at the newest or the oldest. This function decides
-- what the viewer may see: messages of the conversations that the viewer is a member of, without those from before a join that
-- hides history, and without those that the viewer has hidden. The two members of a closed direct conversation can still search it.
--
-- Each pass is planned for its own values: the best index depends on how common a term is and on the viewer's share of all messages,
-- so one plan for all would be wrong for most. Newest first, there are two passes. The first may walk back message by message: it
-- ends soon if the term is common, and is bounded if it is not. The second has to find all matches before it can sort them, which
-- costs little if there are few.
create or replace function message_search_find(viewer bigint, wanted tsquery, parts text[], only_conversation bigint, only_sender bigint,
  since timestamptz, until timestamptz, above bigint, below bigint, is_newest_first boolean, most int) returns setof bigint
language plpgsql stable rows 50
set plan_cache_mode = force_custom_plan set jit = off set max_parallel_workers_per_gather = 0 set work_mem = '16MB' as $$
declare
  scope bigint[] := array(
    select m.conversation_id from member m
     where m.user_id = viewer and (only_conversation is null or m.conversation_id = only_conversation));
  -- The conversations of which the viewer sees only messages after a seq, and that seq.
  hidden bigint[]; visible_from int[];
  middle bigint := greatest(above, least(below, (select max(message_id) + 1 from message_search)) - 20000);
  hides boolean := exists (select 1 from hidden_message h where h.user_id = viewer);
  is_walk boolean; low bigint; high bigint; found int;
begin
  select coalesce(array_agg(a.conversation_id), '{}'), coalesce(array_agg(a.visible_from_seq), '{}') into hidden, visible_from
    from current_audience a
   where a.user_id = viewer and a.visible_from_seq > 0 and a.conversation_id = any(scope);
  foreach is_walk in array case when is_newest_first then array[true, false] else array[false] end loop
    low := case when is_walk then middle else above end;
    high := case when is_newest_first and not is_walk then middle + 1 else below end;
    return query
      select s.message_id from message_search s
       where s.conversation_id = any(scope)
         and (hidden = '{}' or s.seq > coalesce(
           (select u.visible_from from unnest(hidden, visible_from) u(id, visible_from) where u.id = s.conversation_id), 0))
         and (not hides or not exists (
           select 1 from hidden_message h where h.user_id = viewer and h.conversation_id = s.conversation_id and h.seq = s.seq))
         and s.terms @@ wanted
         and (only_sender is null or s.sender_id = only_sender)
         and (since is null or s.created_at >= since)
         and (until is null or s.created_at < until)
         and s.message_id > low and s.message_id < high
         and not exists (select 1 from unnest(parts) part where strpos(s.body, part) = 0)
       -- The first key has the order of the primary key, so a plan can walk along it; the second is an expression, so none can.
       order by case when is_walk then s.message_id end desc, case when is_newest_first then -s.message_id else s.message_id end
       limit most;
    get diagnostics found = row_count;
    most := most - found;
    exit when most <= 0 or (is_walk and middle <= above);
  end loop;
end $$;
