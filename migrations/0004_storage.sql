-- A quota of tasks alone lets one owner store 420 MB. The row that counts an owner's tasks now counts their bytes too.

-- Citus refuses tables and functions in one transaction otherwise; plain Postgres takes the setting and ignores it.
set local citus.multi_shard_modify_mode = 'sequential';

-- Tasks are locked first, as every write locks them: the other way round, a write and this migration could deadlock.
-- Policies hold the migrating role too, who has no owner: they are lifted for this.
alter table docket.tasks no force row level security;
alter table docket.owners no force row level security;

-- A constant default: no row is rewritten.
alter table docket.owners add column byte_count bigint not null default 0;

-- 400 is the disk that a row takes beside its texts: measured, with its entries in two indexes and an owner of 32
-- characters. octet_length gives the size of a stored text without reading the text.
update docket.owners own set byte_count = stored.bytes
  from (
    select owner_id, sum(400 + octet_length(title) + coalesce(octet_length(description), 0)) as bytes
    from docket.tasks group by owner_id
  ) stored
  where own.owner_id = stored.owner_id;

-- Going below would mean that bytes were counted away twice.
alter table docket.owners add constraint owners_byte_count_counts check (byte_count >= 0);

alter table docket.owners force row level security;
alter table docket.tasks force row level security;

grant update (byte_count) on docket.owners to docket_app;

-- DQ001 is our own SQLSTATE for "too many tasks", DQ002 for "too many bytes".
create or replace function docket.count_tasks() returns trigger language plpgsql as $$
declare
  size integer;
  counted integer;
  stored bigint;
begin
  if tg_op = 'INSERT' then
    size := 400 + octet_length(new.title) + coalesce(octet_length(new.description), 0);
    insert into docket.owners as own (owner_id, task_count, byte_count) values (new.owner_id, 1, size)
    on conflict (owner_id) do update
      set task_count = own.task_count + 1, byte_count = own.byte_count + excluded.byte_count
    returning task_count, byte_count into counted, stored;
    if counted > nullif(current_setting('app.task_quota', true), '')::integer then
      raise exception using errcode = 'DQ001', message = 'task quota exceeded';
    end if;
    if stored > nullif(current_setting('app.storage_quota', true), '')::bigint then
      raise exception using errcode = 'DQ002', message = 'storage quota exceeded';
    end if;
  else
    size := 400 + octet_length(old.title) + coalesce(octet_length(old.description), 0);
    update docket.owners set task_count = task_count - 1, byte_count = byte_count - size
    where owner_id = old.owner_id;
  end if;
  return null;
end
$$;

-- A change of the same length writes no row of the owner. One that makes a task shorter is always allowed, so that an
-- owner above the quota can get below it.
create function docket.resize_tasks() returns trigger language plpgsql as $$
declare
  growth integer := octet_length(new.title) + coalesce(octet_length(new.description), 0)
    - octet_length(old.title) - coalesce(octet_length(old.description), 0);
  stored bigint;
begin
  if growth <> 0 then
    update docket.owners set byte_count = byte_count + growth
    where owner_id = old.owner_id returning byte_count into stored;
    if growth > 0 and stored > nullif(current_setting('app.storage_quota', true), '')::bigint then
      raise exception using errcode = 'DQ002', message = 'storage quota exceeded';
    end if;
  end if;
  return null;
end
$$;

revoke execute on function docket.resize_tasks() from public;

-- Without a condition of its own: Postgres compiles one anew for each statement, which takes as long as the function.
create trigger tasks_resized after update of title, description on docket.tasks
  for each row execute function docket.resize_tasks();
