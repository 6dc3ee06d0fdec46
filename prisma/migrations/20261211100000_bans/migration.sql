-- Users who cannot come back to a group, neither by an invite nor by a member who adds them.
create table ban(
  conversation_id bigint not null references conversation(id) on delete cascade,
  user_id bigint not null,
  banned_by bigint not null,
  banned_at timestamptz not null default now(),
  primary key (conversation_id, user_id));
create index ban_by_user on ban(user_id);
