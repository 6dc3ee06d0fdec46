-- The search index: S tables of their own, beside the journal and never under its lock. A durable reader of the journal
-- keeps them (src/search/indexer.ts), and no trigger; so they may have the slow index that no J table may have.

-- A row for each message that has something to find in it. What it holds of the text is made by src/search/terms.ts.
create table message_search(
  message_id bigint primary key,
  conversation_id bigint not null,
  seq int not null,
  sender_id bigint not null,
  created_at timestamptz not null,
  body text not null,                           -- the folded text: a part of a query is met where it is a substring of this
  terms tsvector not null);                     -- words, pairs of neighbours, symbols: finds the candidates

-- Without a list of pending entries, which every search would have to read through.
create index message_search_terms on message_search using gin (terms) with (fastupdate = off);
create index message_search_scope on message_search(conversation_id);

-- Common words are as frequent in a chat as letters are elsewhere: the planner has to know more of them than usual.
alter table message_search alter column terms set statistics 1000;
do $$ begin
  alter table message_search alter column body set compression lz4;
  alter table message_search alter column terms set compression lz4;
exception when others then
  raise notice 'this Postgres has no lz4: %', sqlerrm;
end $$;

-- One row. The index holds what the facts up to this place say. While `walked` is set, messages up to `position` are read
-- anew in the order of their ids, and `walked` is where that has come to: 0 begins it.
create table message_search_progress(
  one boolean primary key default true check (one),
  position bigint not null,
  tag int not null,
  walked bigint);
insert into message_search_progress(position, tag, walked)
  select coalesce(f.position, j.floor), coalesce(f.tag, 0), 0
    from journal j left join lateral (select position, tag from fact order by position desc limit 1) f on true;

-- The messages that a viewer may see and that match, by id: at most `most` of them, from the newest or from the oldest on.
-- What may be seen is decided here, by the conversations in whose audience the viewer is now.
--
-- Each pass is planned for its own values: how common a term is, and how large the viewer's part of all messages, decides
-- which index is worth its reading, and one plan for all would be wrong for most. From the newest on there are two passes.
-- The first may walk back message by message: it ends soon where the term is common, and is bounded where it is not. The
-- second has to find all that match before it can sort them, which costs little where there are few.
create function message_search_find(viewer bigint, wanted tsquery, parts text[], only_conversation bigint, only_sender bigint,
  since timestamptz, until timestamptz, above bigint, below bigint, is_newest_first boolean, most int) returns setof bigint
language plpgsql stable rows 50
set plan_cache_mode = force_custom_plan set jit = off set max_parallel_workers_per_gather = 0 set work_mem = '16MB' as $$
declare
  scope bigint[] := array(
    select a.conversation_id from audience a
     where a.user_id = viewer and a.to_position is null
       and (only_conversation is null or a.conversation_id = only_conversation));
  middle bigint := greatest(above, least(below, (select max(message_id) + 1 from message_search)) - 20000);
  is_walk boolean; low bigint; high bigint; found int;
begin
  foreach is_walk in array case when is_newest_first then array[true, false] else array[false] end loop
    low := case when is_walk then middle else above end;
    high := case when is_newest_first and not is_walk then middle + 1 else below end;
    return query
      select s.message_id from message_search s
       where s.conversation_id = any(scope)
         and s.terms @@ wanted
         and (only_sender is null or s.sender_id = only_sender)
         and (since is null or s.created_at >= since)
         and (until is null or s.created_at < until)
         and s.message_id > low and s.message_id < high
         and not exists (select 1 from unnest(parts) part where strpos(s.body, part) = 0)
       -- The first key can be read off the primary key; the second cannot, and a walk is no way then.
       order by case when is_walk then s.message_id end desc, case when is_newest_first then -s.message_id else s.message_id end
       limit most;
    get diagnostics found = row_count;
    most := most - found;
    exit when most <= 0 or (is_walk and middle <= above);
  end loop;
end $$;
