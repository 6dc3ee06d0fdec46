-- The last fact. If all facts are trimmed, the head is the floor, so that positions never start again.
create or replace function journal_head(out head bigint, out at timestamptz, out tag int) language plpgsql volatile as $$
begin
  select f.position, f.occurred_at, f.tag into head, at, tag from fact f order by f.position desc limit 1;
  if not found then
    select j.floor, '-infinity', 0 into head, at, tag from journal j;
  end if;
end $$;
