-- Runs journal_forget as journal_send_batch_2 runs journal_send.
create or replace procedure journal_forget_batch(who bigint, most int, inout removed int) language plpgsql as $$
begin
  set local synchronous_commit = off;
  select f.removed into removed from journal_forget(who, most) f;
  commit;
  call journal_flush(null);
end $$;
