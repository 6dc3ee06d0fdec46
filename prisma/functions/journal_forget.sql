-- Removes what the journal keeps for one user's own sake, after the account was deleted: read markers, rows of `mention`, hidden messages,
-- drafts, and Welcomes. What belongs to others (messages, reactions, the mentions in a text) stays. Call it again until `removed` is less
-- than `most`. The user is in no audience any more, so no such rows are added after the look-up before the lock.
create or replace function journal_forget(who bigint, most int, out removed int)
language plpgsql volatile
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  convs bigint[]; mentions tid[]; hidden tid[]; drafts tid[]; welcomes bigint[]; count int;
begin
  convs := array(select distinct a.conversation_id from audience a cross join lateral
    (select 1 from read_marker r where r.conversation_id = a.conversation_id and r.user_id = who limit 1) x
     where a.user_id = who limit most);
  mentions := array(select n.ctid from mention n where n.user_id = who limit most - cardinality(convs));
  hidden := array(select h.ctid from hidden_message h where h.user_id = who limit most - cardinality(convs) - cardinality(mentions));
  drafts := array(select d.ctid from draft d where d.user_id = who
    limit most - cardinality(convs) - cardinality(mentions) - cardinality(hidden));
  welcomes := array(select w.position from welcome w where w.user_id = who
    limit most - cardinality(convs) - cardinality(mentions) - cardinality(hidden) - cardinality(drafts));
  removed := 0;
  if cardinality(convs) + cardinality(mentions) + cardinality(hidden) + cardinality(drafts) + cardinality(welcomes) = 0 then return; end if;
  perform journal_lock();
  delete from read_marker r where r.user_id = who and r.conversation_id = any (convs);
  get diagnostics removed = row_count;
  delete from mention n where n.ctid = any (mentions) and n.user_id = who;
  get diagnostics count = row_count;
  removed := removed + count;
  delete from hidden_message h where h.ctid = any (hidden) and h.user_id = who;
  get diagnostics count = row_count;
  removed := removed + count;
  delete from draft d where d.ctid = any (drafts) and d.user_id = who;
  get diagnostics count = row_count;
  removed := removed + count;
  delete from welcome w where w.position = any (welcomes);
  get diagnostics count = row_count;
  removed := removed + count;
end $$;
