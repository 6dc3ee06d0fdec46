-- Takes the journal's lock until the transaction ends. It works in READ COMMITTED only: later statements must see what was committed
-- while this one waited. Call it as a statement of its own, from VOLATILE functions only.
create or replace function journal_lock() returns void language plpgsql volatile as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'the journal is appended to in READ COMMITTED only' using errcode = '25001';
  end if;
  perform pg_advisory_xact_lock(7021, 1);
  perform set_config('lock_timeout', '200ms', true);   -- under the lock nothing may wait: a wait is a bug, and must not stop the journal
end $$;
