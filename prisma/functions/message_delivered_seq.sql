-- The seq of a conversation's newest message up to a position; 0 if there is none. Ids of messages grow with their seqs, so half of what
-- is left is ruled out in each step.
create or replace function message_delivered_seq(conv bigint, upto bigint) returns int
language plpgsql stable set enable_seqscan = off as $$
declare
  low int := 0; high int; middle int; found_id bigint;
begin
  select h.last_seq into high from conversation_head h where h.conversation_id = conv;
  while low < coalesce(high, 0) loop
    -- The newest first: devices are rarely behind.
    middle := case when found_id is null then high else (low + high + 1) / 2 end;
    select m.id into found_id from message m where m.conversation_id = conv and m.seq = middle;
    if found_id <= upto then low := middle; else high := middle - 1; end if;
  end loop;
  return low;
end $$;
