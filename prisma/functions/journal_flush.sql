-- Waits, without the lock, until appended facts are on disk. When it returns, everything that was visible when it was called is on
-- disk, and on the standbys in synchronous_standby_names: its own commit waits for everything before it, by the session's
-- synchronous_commit. With `upto`, it covers only what was visible at that position of the write-ahead log. If the log is already
-- flushed that far, there is nothing to do, except with such standbys: how far they are cannot be seen from here.
--
-- No answer and no message to other nodes goes out before it (B1). Nodes also call it before they keep or forward what they have read
-- from Postgres, which may be visible and not yet on disk (src/store/flush.ts).
create or replace procedure journal_flush(upto pg_lsn) language plpgsql as $$
begin
  if current_setting('synchronous_standby_names') <> '' or pg_current_wal_flush_lsn() < coalesce(upto, pg_current_wal_insert_lsn()) then
    perform pg_logical_emit_message(true, 'parley', '');
    commit;
  end if;
end $$;
