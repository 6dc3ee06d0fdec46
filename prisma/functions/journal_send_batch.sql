-- journal_send_batch_2 for nodes of 0.1.0, whose messages have no attachments and no custom data.
create or replace procedure journal_send_batch(conv bigint[], sender bigint[], client uuid[], hash bytea[], body text[], reply bigint[], mentions text[], spelling text[],
  inout positions bigint[], inout seqs int[], inout statuses smallint[], inout at timestamptz, inout batch_tag int, inout previous_tag int)
language plpgsql as $$
begin
  set local synchronous_commit = off;
  select * into positions, seqs, statuses, at, batch_tag, previous_tag
    from journal_send(conv, sender, client, hash, body, reply, mentions, spelling, null, null, null, null, null, null);
  commit;
  call journal_flush(null);   -- also if all were repeats: the first message may be visible and not yet on disk
end $$;
