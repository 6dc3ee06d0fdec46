-- Runs journal_send, and commits inside the server before a result leaves it, so that the lock never waits for a client. It flushes
-- after it has released the lock. CALL it outside transactions.
drop procedure if exists journal_send_batch_2(bigint[], bigint[], uuid[], bytea[], text[], bigint[], text[], text[], text[], text[], boolean[], text[],
  bigint[], int[], smallint[], timestamptz, int, int);
drop procedure if exists journal_send_batch_2(bigint[], bigint[], uuid[], bytea[], text[], bigint[], text[], text[], text[], text[], boolean[],
  bigint[], int[], smallint[], timestamptz, int, int);
create or replace procedure journal_send_batch_2(conv bigint[], sender bigint[], client uuid[], hash bytea[], body text[], reply bigint[], mentions text[], spelling text[],
  attachments text[], kinds text[], sendable boolean[], data text[], ciphers bytea[], epochs int[],
  inout positions bigint[], inout seqs int[], inout statuses smallint[], inout at timestamptz, inout batch_tag int, inout previous_tag int)
language plpgsql as $$
begin
  set local synchronous_commit = off;
  select * into positions, seqs, statuses, at, batch_tag, previous_tag
    from journal_send(conv, sender, client, hash, body, reply, mentions, spelling, attachments, kinds, sendable, data, ciphers, epochs);
  commit;
  call journal_flush(null);   -- also if all were repeats: the first message may be visible and not yet on disk
end $$;
