-- updated_at is set by the table itself, and only when something changed. So no statement has to remember it, and a
-- writer that goes past the API cannot forget it.
create function docket.touch() returns trigger language plpgsql as $$
begin
  new.updated_at := now();
  return new;
end
$$;

-- Only the trigger calls it.
revoke execute on function docket.touch() from public;

create trigger tasks_touched before update on docket.tasks
  for each row when (old.* is distinct from new.*) execute function docket.touch();

revoke update (updated_at) on docket.tasks from docket_app;
