-- Files that are removed while somebody may still write to them.

-- ---- S: files ---------------------------------------------------------------------------------------------------

alter table stored_file
  add column upload_until timestamptz,          -- until when a client may write its upload; null: no longer
  add column emptied_at timestamptz,            -- when its objects were removed; the row stays while somebody may write new ones
  add column deaths int not null default 0,     -- how often it made the process die that looked at it
  add column made_bytes bigint not null default 0; -- what the smaller pictures take, in addition to byte_size
create index stored_file_writable on stored_file(upload_until) where upload_until is not null;
