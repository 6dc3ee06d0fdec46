-- The audit log: who did what through a server key or the command line. Ids only, so that nothing in it has to be erased. Rows are only
-- added (prisma/functions/audit_append_only.sql).
create table audit_entry(
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  actor text not null check (actor in ('KEY', 'OPERATOR')),
  key_id bigint,                                -- the server key
  user_id bigint,                               -- on whose behalf it acted
  action text not null,                         -- the mutation, or the command
  subjects text[] not null);                    -- global ids of what it was about

-- Seals chain the entries: each has the hash of the entries since the seal before it, and of that seal.
create table audit_seal(
  number bigint primary key,                    -- 1, 2, 3, …
  upto bigint not null,                         -- the id of the last entry that it covers
  entries int not null,
  sealed_at timestamptz not null default clock_timestamp(),
  hash bytea not null);
