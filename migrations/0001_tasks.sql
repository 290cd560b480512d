-- The unprivileged role that every statement of the API runs as. It cannot log in, owns nothing and cannot
-- bypass row-level security: the login role usually can (on Neon it has BYPASSRLS), and then policies do nothing.
-- Roles belong to the whole cluster, so another database may have made it, even at this very moment.
do $$
begin
  create role docket_app nologin nosuperuser nobypassrls nocreatedb nocreaterole noinherit;
exception
  when duplicate_object or unique_violation then null;
end
$$;

create table docket.tasks (
  -- The token's subject. Better Auth's is 32 letters and digits by default, or a UUID, or anything: never uuid.
  -- Bytes are compared, so the order of a key does not depend on the locale of the machine.
  owner_id text collate "C" not null,
  id uuid not null,
  title text not null,
  description text,
  -- Text with a CHECK: under row-level security an enum could not use an index, its = is not leakproof.
  status text not null default 'Todo',
  -- Milliseconds, which is what clients see, so that a cursor made from an answer is exact.
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),

  -- Starts with the owner: two owners may hold the same id, so an id that is taken tells nobody anything.
  constraint tasks_pkey primary key (owner_id, id),
  -- The subject of a token is 1 to 255 characters.
  constraint tasks_owner_length check (char_length(owner_id) between 1 and 255),
  -- What the API promises to readers, also against writers that go past it.
  constraint tasks_title_length check (char_length(title) between 1 and 255),
  constraint tasks_description_length check (char_length(description) <= 10000),
  constraint tasks_status_known check (status in ('Todo', 'InProgress', 'Done'))
);

-- The list: one owner's tasks, newest first, without a sort.
create index tasks_newest_first on docket.tasks (owner_id, created_at desc, id desc);

-- FORCE, so that the table's own owner is held to the policies too.
alter table docket.tasks enable row level security;
alter table docket.tasks force row level security;

-- The setting reads '' on a connection that was used before, not null; '' must own nothing.
create policy tasks_own on docket.tasks
  for all to docket_app
  using (owner_id = nullif(current_setting('app.user_id', true), ''))
  with check (owner_id = nullif(current_setting('app.user_id', true), ''));

-- No more than the statements need: whose a task is, its id and its birth cannot be changed.
grant usage on schema docket to docket_app;
grant select, insert, delete on docket.tasks to docket_app;
grant update (title, description, status, updated_at) on docket.tasks to docket_app;
