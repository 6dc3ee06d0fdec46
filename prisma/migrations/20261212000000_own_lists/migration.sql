-- A member's own list of conversations: what they have pinned to its top, and marked as unread.
alter table member
  add column pinned_at timestamptz,
  add column marked_unread_at timestamptz;
create index member_pinned on member(user_id) where pinned_at is not null;
