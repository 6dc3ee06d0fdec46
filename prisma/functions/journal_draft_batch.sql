-- Runs journal_draft as journal_send_batch_2 runs journal_send.
create or replace procedure journal_draft_batch(conv bigint[], author bigint[], body text[], reply bigint[],
  inout positions bigint[], inout statuses smallint[], inout at timestamptz, inout batch_tag int, inout previous_tag int)
language plpgsql as $$
begin
  set local synchronous_commit = off;
  select * into positions, statuses, at, batch_tag, previous_tag from journal_draft(conv, author, body, reply);
  commit;
  call journal_flush(null);
end $$;
