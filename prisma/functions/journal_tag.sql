-- A random tag for an append: 1 to 2147483646. 0 is the tag of a journal without facts.
create or replace function journal_tag() returns int language sql volatile as $$ select 1 + floor(random() * 2147483646)::int $$;
