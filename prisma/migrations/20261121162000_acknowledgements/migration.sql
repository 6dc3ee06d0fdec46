-- What each device says to have stored: an S table, a row for each session that ever said so. It only moves forward. Not a
-- part of session, whose rows others lock and read all the time; most of its updates stay in their page.
create table acknowledgement(
  session_id bigint primary key references session(id) on delete cascade,
  position bigint not null,                     -- everything up to here
  occurred_at timestamptz not null) with (fillfactor = 50);   -- when the fact there happened, kept because facts are trimmed
