-- Runs journal_mark as journal_send_batch_2 runs journal_send.
create or replace procedure journal_mark_batch(conv bigint[], reader bigint[], seq int[],
  inout positions bigint[], inout seqs int[], inout statuses smallint[], inout at timestamptz, inout batch_tag int, inout previous_tag int)
language plpgsql as $$
begin
  set local synchronous_commit = off;
  select * into positions, seqs, statuses, at, batch_tag, previous_tag from journal_mark(conv, reader, seq);
  commit;
  call journal_flush(null);
end $$;
