-- Runs journal_trim as journal_send_batch_2 runs journal_send, but does not flush, because no answer depends on it. A step that a crash
-- takes back is done again: the facts are then back, and the floor below them.
create or replace procedure journal_trim_batch(keep interval, most int, inout removed int, inout floor bigint) language plpgsql as $$
declare
  step record;
begin
  set local synchronous_commit = off;
  select * into step from journal_trim(keep, most);
  removed := step.removed; floor := step.floor;
  commit;
end $$;
