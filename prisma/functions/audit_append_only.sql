-- Refuses to change or remove rows of the audit log and its seals (PY405).
create or replace function audit_append_only() returns trigger language plpgsql as $$
begin
  raise exception 'the audit log is append-only' using errcode = 'PY405';
end $$;

do $$ begin
  if not exists (select 1 from pg_trigger where tgname = 'audit_append_only' and tgrelid = 'audit_entry'::regclass) then
    create trigger audit_append_only before update or delete or truncate on audit_entry execute function audit_append_only();
    create trigger audit_append_only before update or delete or truncate on audit_seal execute function audit_append_only();
  end if;
end $$;
