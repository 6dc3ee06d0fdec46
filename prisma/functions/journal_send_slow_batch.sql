-- Runs journal_send_slow as journal_send_batch_2 runs journal_send.
create or replace procedure journal_send_slow_batch(conv bigint[], sender bigint[], client uuid[], hash bytea[], body text[], reply bigint[], mentions text[],
  spelling text[], attachments text[], kinds text[], sendable boolean[], data text[], ciphers bytea[], epochs int[], slow_ms int[],
  inout positions bigint[], inout seqs int[], inout statuses smallint[], inout at timestamptz, inout batch_tag int, inout previous_tag int,
  inout waits_ms int[])
language plpgsql as $$
begin
  set local synchronous_commit = off;
  select * into positions, seqs, statuses, at, batch_tag, previous_tag, waits_ms
    from journal_send_slow(conv, sender, client, hash, body, reply, mentions, spelling, attachments, kinds, sendable, data, ciphers, epochs, slow_ms);
  commit;
  call journal_flush(null);   -- also if all were repeats: the first message may be visible and not yet on disk
end $$;
