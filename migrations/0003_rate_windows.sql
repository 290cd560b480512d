-- How often each owner asked in the present minute, for instances that share the limit (RATE_LIMIT_STORE=postgres).
-- `key` is a digest of the owner. Nobody's data: it may be lost, so it is not logged ahead, and after a crash it is empty.
-- The login role counts here; docket_app, as whom the statements of callers run, has no right to it.
create unlogged table docket.rate_windows (
  key text collate "C" not null,
  points integer not null,
  -- Epoch milliseconds, by the clock of whoever counted first.
  expire bigint not null,

  constraint rate_windows_pkey primary key (key)
)
-- Every count rewrites its row: room on the page keeps that from growing the table.
with (fillfactor = 50);
