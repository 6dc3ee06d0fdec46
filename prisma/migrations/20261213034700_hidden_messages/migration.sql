-- J: what users have hidden for themselves. Everybody else still sees it.
create table hidden_message(
  user_id bigint not null,
  conversation_id bigint not null,
  seq int not null,
  hidden_at timestamptz not null,
  primary key (user_id, conversation_id, seq));
-- Whether the user has ever hidden something in the conversation. Reads for all others do not look at what is hidden.
alter table audience add column hides_messages boolean not null default false;
