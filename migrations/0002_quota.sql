-- One row an owner: how many tasks there are. Counted inside the transaction that makes or deletes one, so that
-- creates at the same time wait for each other here and the quota holds for all of them together.
create table docket.owners (
  owner_id text collate "C" not null,
  task_count integer not null,

  constraint owners_pkey primary key (owner_id),
  -- Going below would mean that a task was counted away twice.
  constraint owners_task_count_counts check (task_count >= 0)
);

-- Tasks that were there before. Policies hold the migrating role too, who has no owner: they are lifted for this.
alter table docket.tasks no force row level security;
insert into docket.owners (owner_id, task_count)
  select owner_id, count(*) from docket.tasks group by owner_id;
alter table docket.tasks force row level security;

alter table docket.owners enable row level security;
alter table docket.owners force row level security;

create policy owners_own on docket.owners
  for all to docket_app
  using (owner_id = nullif(current_setting('app.user_id', true), ''))
  with check (owner_id = nullif(current_setting('app.user_id', true), ''));

grant select, insert on docket.owners to docket_app;
grant update (task_count) on docket.owners to docket_app;

-- Runs as whoever writes the task, so under the same policies. DQ001 is our own SQLSTATE for "quota exceeded".
create function docket.count_tasks() returns trigger language plpgsql as $$
declare
  counted integer;
begin
  if tg_op = 'INSERT' then
    insert into docket.owners as own (owner_id, task_count) values (new.owner_id, 1)
    on conflict (owner_id) do update set task_count = own.task_count + 1
    returning task_count into counted;
    if counted > nullif(current_setting('app.task_quota', true), '')::integer then
      raise exception using errcode = 'DQ001', message = 'task quota exceeded';
    end if;
  else
    update docket.owners set task_count = task_count - 1 where owner_id = old.owner_id;
  end if;
  return null;
end
$$;

-- Only docket_app's statements fire it, and only by the trigger.
revoke execute on function docket.count_tasks() from public;

create trigger tasks_counted after insert or delete on docket.tasks
  for each row execute function docket.count_tasks();

