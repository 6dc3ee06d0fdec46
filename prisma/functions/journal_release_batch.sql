-- Forgets attachments of deleted messages, once their files have been removed. Idempotent.
create or replace procedure journal_release_batch(attachment bigint[]) language plpgsql as $$
begin
  set local synchronous_commit = off;
  perform journal_lock();
  delete from message_attachment x where x.attachment_id = any (attachment) and x.removed_at is not null;
  commit;
end $$;
