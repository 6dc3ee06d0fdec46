// The tables that `prisma migrate` makes of schema.prisma, with users and conversations.

/** Creates the tables. */
export const tables = `
create table "user"(id serial primary key, display_name text not null);
create table conversation(id serial primary key);
create table message(
  id serial primary key,
  conversation_id int not null references conversation(id) on update cascade on delete restrict,
  sender_id int not null references "user"(id) on update cascade on delete restrict,
  text text not null,
  created_at timestamp(3) not null default current_timestamp);
create index message_conversation_id_id_idx on message(conversation_id, id);
`

/** Fills them: $1 users, $2 conversations. */
export const people = `insert into "user"(display_name) select 'Person ' || n from generate_series(1, $1::int) n`
export const conversations = `insert into conversation select from generate_series(1, $1::int)`
