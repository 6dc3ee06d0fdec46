-- Starts a new epoch: earlier cursors become invalid, and positions continue. Operators run it rarely, so its commit waits for the
-- disk.
create or replace procedure journal_new_epoch(inout epoch uuid) language plpgsql as $$
begin
  perform journal_lock();
  update journal j set epoch = gen_random_uuid() returning j.epoch into epoch;
  commit;
end $$;
