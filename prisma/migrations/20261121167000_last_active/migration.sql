-- When somebody last did something on a device. Its last use moves on by itself too: by queries, handshakes, fresh tokens.

alter table session add column last_active_at timestamptz;
update session set last_active_at = last_used_at;
alter table session alter column last_active_at set default now(), alter column last_active_at set not null;
