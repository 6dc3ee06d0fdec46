-- Who may write in a group, and how often. Nodes keep the few conversations with such a rule in memory.
alter table conversation
  add column slow_mode_s int not null default 0,              -- 0: as often as they like
  add column announcements_only boolean not null default false;
create index conversation_with_rules on conversation(id) where slow_mode_s > 0 or announcements_only;
-- J: when a member last sent a message in slow mode.
alter table audience add column slow_sent_at timestamptz;
