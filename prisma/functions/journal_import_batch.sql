-- Runs journal_import as journal_send_batch_2 runs journal_send.
create or replace procedure journal_import_batch(conv bigint[], sender bigint[], client uuid[], hash bytea[], body text[], reply uuid[], mentions text[], data text[],
  written timestamptz[], open boolean[],
  inout positions bigint[], inout seqs int[], inout replies bigint[], inout statuses smallint[], inout at timestamptz, inout batch_tag int,
  inout previous_tag int)
language plpgsql as $$
begin
  set local synchronous_commit = off;
  select * into positions, seqs, replies, statuses, at, batch_tag, previous_tag
    from journal_import(conv, sender, client, hash, body, reply, mentions, data, written, open);
  commit;
  call journal_flush(null);
end $$;
