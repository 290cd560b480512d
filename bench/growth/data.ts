import pg from 'pg'

/** Small owners have as many tasks as people have; the large one has as many as `TASK_QUOTA` allows by default. */
export const tasksOfSmall = 100
export const tasksOfLarge = 10_000

/** So many small owners speak, spread evenly over all there are, at every size as many. */
export const callers = 100

const largeOwner = 'owner-of-many'

/** Who a caller is: the small owner so many steps along. */
export function smallOwner(number: number): string {
  return `owner-${String(number).padStart(8, '0')}`
}

export type Caller = {
  readonly owner: string
  readonly ids: (task: number) => string
  readonly tasks: number
}

/** Those who call a database of so many tasks: the small owners, and the large one. */
export function callersOf(tasks: number): { small: Caller[]; large: Caller } {
  const owners = tasks / tasksOfSmall
  const small = Array.from({ length: callers }, (_, i) => {
    const number = Math.floor((i * owners) / callers)
    return {
      owner: smallOwner(number),
      ids: (task: number) => idOf(task * owners + number),
      tasks: tasksOfSmall,
    }
  })
  return { small, large: { owner: largeOwner, ids: (task) => idOf(tasks + task), tasks: tasksOfLarge } }
}

function idOf(row: number): string {
  return `01900000-0000-7000-8000-${String(row).padStart(12, '0')}`
}

/** A row is about 200 bytes. Rows of one owner lie apart, as they do when everybody adds a task now and then. */
const rowsSql = (tasks: number) => `
  insert into docket.tasks (owner_id, id, title, description, status, created_at, updated_at)
  select owner, ('01900000-0000-7000-8000-' || lpad(row::text, 12, '0'))::uuid, 'Task ' || row,
         case when row % 3 > 0 then 'Two litres, the one with the blue cap, and bread if there is any left.' end,
         (array['Todo', 'InProgress', 'Done'])[1 + row % 3], made, made
  from (select row, 'owner-' || lpad((row % ${tasks / tasksOfSmall})::text, 8, '0') as owner
        from generate_series(0, ${tasks - 1}) row
        union all
        select row, '${largeOwner}' from generate_series(${tasks}, ${tasks + tasksOfLarge - 1}) row) all_of_them,
       lateral (select now() - interval '1 second' * (${tasks + tasksOfLarge} - row) as made)`

/** As the triggers count, which are off while the rows go in. */
const countSql = `
  insert into docket.owners (owner_id, task_count, byte_count)
  select owner_id, count(*), sum(400 + octet_length(title) + coalesce(octet_length(description), 0))
  from docket.tasks group by owner_id`

/**
 * Fills an empty, migrated database with that many tasks of small owners and the large owner's, and leaves it as it
 * would be after a quiet night. What the migrations made is there afterwards as it was before: indexes and the trigger
 * are only put off while the rows go in.
 */
export async function fill(url: string, tasks: number, signal: AbortSignal): Promise<void> {
  await withClient(url, async (client) => {
    const stop = () => void client.end().catch(() => undefined)
    signal.addEventListener('abort', stop, { once: true })
    try {
      const { put, take } = await putOff(client)
      await client.query('begin')
      for (const sql of take) await client.query(sql)
      await client.query(rowsSql(tasks))
      await client.query(countSql)
      for (const sql of put) await client.query(sql)
      await client.query('commit')
      await client.query('vacuum analyze docket.tasks, docket.owners')
      await client.query('checkpoint')
    } finally {
      signal.removeEventListener('abort', stop)
    }
  })
}

/** What takes the indexes and triggers of the tasks away, and what puts them back. */
async function putOff(client: pg.Client): Promise<{ take: string[]; put: string[] }> {
  const { rows } = await client.query<{ take: string; put: string }>(`
    select 'alter table docket.tasks disable trigger user' as take, 'alter table docket.tasks enable trigger user' as put
    union all
    select format('alter table docket.tasks drop constraint %I', conname),
           format('alter table docket.tasks add constraint %I %s', conname, pg_get_constraintdef(oid))
    from pg_constraint where conrelid = 'docket.tasks'::regclass and contype in ('p', 'u')
    union all
    select format('drop index %s', indexrelid::regclass), pg_get_indexdef(indexrelid)
    from pg_index where indrelid = 'docket.tasks'::regclass
      and not exists (select from pg_constraint where conindid = indexrelid)`)
  return { take: rows.map(({ take }) => take), put: rows.map(({ put }) => put) }
}

export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end().catch(() => undefined)
  }
}
