import { pgSchema, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core'

export const notes = pgSchema('toy').table(
  'notes',
  {
    id: uuid('id').notNull(),
    words: text('words').notNull(),
    colour: text('colour'),
    owner_id: text('owner_id').notNull(),
    created_at: timestamp('created_at', { precision: 3, withTimezone: true }).notNull().defaultNow(),
    updated_at: timestamp('updated_at', { precision: 3, withTimezone: true }).notNull().defaultNow(),
  },
  (note) => [primaryKey({ columns: [note.owner_id, note.id] })],
)

/** What its migration would do. */
export const notesSql = `
  create schema toy;
  create table toy.notes (
    owner_id text collate "C" not null, id uuid not null, words text not null, colour text,
    created_at timestamptz(3) not null default now(), updated_at timestamptz(3) not null default now(),
    primary key (owner_id, id));
  alter table toy.notes enable row level security;
  alter table toy.notes force row level security;
  create policy notes_own on toy.notes for all to docket_app
    using (owner_id = nullif(current_setting('app.user_id', true), ''))
    with check (owner_id = nullif(current_setting('app.user_id', true), ''));
  grant usage on schema toy to docket_app;
  grant select, insert, delete on toy.notes to docket_app;
  grant update (words, colour) on toy.notes to docket_app;
  create trigger notes_touched before update on toy.notes
    for each row when (old.* is distinct from new.*) execute function docket.touch();`
