-- Runs journal_commit as journal_send_batch_2 runs journal_send.
create or replace procedure journal_commit_batch(conv bigint[], sender bigint[], device bigint[], made_for int[], commits bytea[], infos bytea[], seen bigint[],
  w_input int[], w_device bigint[], w_user bigint[], w_bytes bytea[],
  inout positions bigint[], inout tags int[], inout statuses smallint[], inout at timestamptz, inout batch_tag int, inout previous_tag int)
language plpgsql as $$
begin
  set local synchronous_commit = off;
  select * into positions, tags, statuses, at, batch_tag, previous_tag
    from journal_commit(conv, sender, device, made_for, commits, infos, seen, w_input, w_device, w_user, w_bytes);
  commit;
  call journal_flush(null);
end $$;
