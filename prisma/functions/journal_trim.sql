-- Removes facts older than `keep`, at most the `most` oldest ones, and raises the floor in the same transaction (A9). What only they name goes with them. Facts are in
-- the order of their times, so the removed ones are the beginning of the journal. The last fact always stays, so a cursor at it
-- stays valid however long nothing happens. `removed` is null if another node is trimming now. A step is short, because every append
-- waits for it (B12).
create or replace function journal_trim(keep interval, most int, out removed int, out floor bigint)
language plpgsql volatile
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  up_to bigint;
begin
  if not pg_try_advisory_xact_lock(7021, 3) then return; end if;
  removed := 0;
  select j.floor into floor from journal j;
  select max(f.position) into up_to
    from (select position, occurred_at from fact where position > journal_trim.floor order by position limit most) f
   where f.occurred_at < clock_timestamp() - keep and f.position < (select position from fact order by position desc limit 1);
  if up_to is null then return; end if;
  perform journal_lock();
  delete from fact where position > journal_trim.floor and position <= up_to;
  get diagnostics removed = row_count;
  delete from epoch_commit where position > journal_trim.floor and position <= up_to;
  delete from welcome where position > journal_trim.floor and position <= up_to;
  update journal j set floor = greatest(j.floor, up_to) returning j.floor into floor;
end $$;
