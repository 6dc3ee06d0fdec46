-- Conversations that a backend fills with messages of another system. They have no members until they are complete.

alter table conversation add column importing boolean not null default false;
