-- J: what users have begun to write, one draft for each conversation.
create table draft(
  user_id bigint not null,
  conversation_id bigint not null,
  text text not null,
  reply_to_id bigint,
  saved_at timestamptz not null,
  primary key (user_id, conversation_id));
