-- Tenants: separate groups of people in one installation, who never meet. Null is a tenant of its own, the only one without any.
alter table "user" add column tenant text;
alter table conversation add column tenant text;   -- that of all its members
alter table server_key add column tenant text;     -- null: the key is for all tenants
create index user_by_tenant on "user"(tenant, id) where tenant is not null;
