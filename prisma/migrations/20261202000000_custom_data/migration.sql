-- Custom data of apps, as JSON text in the form in which it was given; null if there is none.
alter table "user" add column data json;
alter table conversation add column data json;
alter table message add column data json;
