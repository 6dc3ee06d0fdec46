-- How long the journal is kept, and how it is started anew. Messages, audiences and all other state stay: facts alone go.

-- Removes the oldest facts, those that are older than `keep`, at most `most` of them, and raises the floor in the same
-- transaction (A9). Facts lie in the order of their times, so what is removed is a beginning of the journal. The last fact
-- always stays: a cursor that stands on it is good however long nothing happens. `removed` is null where another node trims
-- at this moment. A step is short, since every append waits for it (B12).
create function journal_trim(keep interval, most int, out removed int, out floor bigint)
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
  update journal j set floor = greatest(j.floor, up_to) returning j.floor into floor;
end $$;

-- The same, called outside any transaction: it commits inside the server, so that no client is ever waited for under the lock.
create procedure journal_trim_batch(keep interval, most int, inout removed int, inout floor bigint) language plpgsql as $$
declare
  step record;
begin
  select * into step from journal_trim(keep, most);
  removed := step.removed; floor := step.floor;
  commit;
end $$;

-- Starts the journal anew: no cursor that was given before is good any more. Positions go on.
create procedure journal_new_epoch(inout epoch uuid) language plpgsql as $$
begin
  perform journal_lock();
  update journal j set epoch = gen_random_uuid() returning j.epoch into epoch;
  commit;
end $$;
