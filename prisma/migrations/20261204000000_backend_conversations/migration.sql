-- The id by which the backend of a product knows a conversation; null if it did not make it.
alter table conversation add column external_id text;
create unique index conversation_external_id_key on conversation(external_id);
