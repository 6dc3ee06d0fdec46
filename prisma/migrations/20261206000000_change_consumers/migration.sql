-- Consumers of `changes`, by name, and the place up to which each has stored everything. src/platform writes it, in SQL.
create table change_consumer(
  tenant text not null default '',              -- of its key; empty for none
  name text not null,
  epoch_key text not null,                      -- with the position and the tag, the cursor
  position bigint not null,
  tag int not null,
  acknowledged_at timestamptz,                  -- null until its first acknowledgement
  primary key (tenant, name));
