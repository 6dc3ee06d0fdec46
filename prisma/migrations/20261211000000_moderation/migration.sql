-- Moderators act in their own name.
alter table audit_entry drop constraint audit_entry_actor_check;
alter table audit_entry add constraint audit_entry_actor_check check (actor in ('KEY', 'OPERATOR', 'USER'));
create index audit_entry_subjects on audit_entry using gin (subjects);

-- What users report to moderators. A report is removed some time after it was made, with its copies.
create table report(
  id bigint generated always as identity primary key,
  tenant text,                                  -- of the reported user
  reporter_id bigint,                           -- null: a word rule
  user_id bigint not null,                      -- the reported user
  conversation_id bigint,                       -- those of the reported message; null if the user was reported
  message_id bigint,
  reason text not null,
  created_at timestamptz not null,
  resolved_at timestamptz,
  resolver_id bigint,                           -- the moderator; null for a server key
  actions text[] not null default '{}',
  note text);
create unique index report_open_once on report(coalesce(reporter_id, 0), user_id, coalesce(message_id, 0)) where resolved_at is null;
create index report_by_age on report(created_at);

-- The reported message, and the messages around it, as they were when it was reported.
create table report_message(
  report_id bigint not null references report(id) on delete cascade,
  seq int not null,
  message_id bigint not null,
  sender_id bigint not null,
  text text not null,
  data json,
  attachment_ids bigint[] not null,
  created_at timestamptz not null,
  edited_at timestamptz,
  deleted_at timestamptz,
  primary key (report_id, seq));
