-- What people chose to show of their presence, and what kind of device a session is on. Presence itself is in no table.

create type presence_mode as enum ('AUTOMATIC', 'DO_NOT_DISTURB', 'INVISIBLE');
create type last_active_visibility as enum ('EVERYONE', 'CONTACTS', 'NOBODY');
create type device_kind as enum ('WEB', 'DESKTOP', 'PHONE', 'TABLET', 'OTHER');

alter table "user"
  add column presence_mode presence_mode not null default 'AUTOMATIC',
  add column presence_mode_at timestamptz not null default now(),
  add column last_active_visibility last_active_visibility not null default 'EVERYONE';

alter table session add column device_kind device_kind not null default 'OTHER';
