/** What a careful TypeScript developer writes: validation, a transaction under row-level security, a log line. */
import { randomUUID } from 'node:crypto'
import { serve } from '@hono/node-server'
import { and, desc, eq, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { pgSchema, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { Hono } from 'hono'
import { createMiddleware } from 'hono/factory'
import { HTTPException } from 'hono/http-exception'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import pg from 'pg'
import { pino } from 'pino'
import { z } from 'zod'

const { PORT, DATABASE_URL, POOL_SIZE, JWKS_URL = '', ISSUER = '', AUDIENCE = '' } = process.env

const tasks = pgSchema('docket').table('tasks', {
  id: uuid('id').notNull().$defaultFn(randomUUID),
  title: text('title').notNull(),
  description: text('description'),
  status: text('status', { enum: ['Todo', 'InProgress', 'Done'] })
    .notNull()
    .default('Todo'),
  owner_id: text('owner_id').notNull(),
  created_at: timestamp('created_at', { precision: 3, withTimezone: true }).notNull().defaultNow(),
  updated_at: timestamp('updated_at', { precision: 3, withTimezone: true }).notNull().defaultNow(),
})

const NewTask = z.strictObject({
  title: z.string().min(1).max(255),
  description: z.string().max(10_000).nullable().optional(),
  status: z.enum(['Todo', 'InProgress', 'Done']).optional(),
})
const TaskPatch = NewTask.partial()
const Page = z.object({
  skip: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(500).default(100),
})
const Id = z.object({ id: z.guid() })

const pool = new pg.Pool({ connectionString: DATABASE_URL, max: Number(POOL_SIZE) })
const db = drizzle(pool)
type Transaction = Parameters<Parameters<typeof db.transaction>[0]>[0]

/** A transaction in which the policies hold, for this caller. */
function asOwner<T>(owner: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
  return db.transaction(async (tx) => {
    await tx.execute(
      sql`select set_config('role', 'docket_app', true), set_config('app.user_id', ${owner}, true)`,
    )
    return work(tx)
  })
}

const keys = createRemoteJWKSet(new URL(JWKS_URL))
const log = pino(pino.destination({ sync: false, minLength: 4096 }))

type Env = { Variables: { owner: string } }
const app = new Hono<Env>()

app.use(async (c, next) => {
  const began = performance.now()
  await next()
  log.info({ method: c.req.method, path: c.req.path, status: c.res.status, ms: performance.now() - began })
})

app.get('/health', (c) => c.text('ok'))

app.use(
  '/tasks/*',
  createMiddleware<Env>(async (c, next) => {
    const token = /^Bearer (\S+)$/.exec(c.req.header('authorization') ?? '')?.[1] ?? ''
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer: ISSUER,
        audience: AUDIENCE,
        algorithms: ['EdDSA'],
        requiredClaims: ['exp', 'sub'],
      })
      c.set('owner', payload.sub ?? '')
    } catch {
      throw new HTTPException(401, { message: 'Unauthorized' })
    }
    await next()
  }),
)

function checked<T>(schema: z.ZodType<T>, input: unknown): T {
  const { success, data, error } = schema.safeParse(input)
  if (!success) throw new HTTPException(422, { message: z.prettifyError(error) })
  return data
}

function found<T>(rows: readonly T[]): T {
  const [row] = rows
  if (row === undefined) throw new HTTPException(404, { message: 'Task not found' })
  return row
}

app.get('/tasks', async (c) => {
  const { skip, limit } = checked(Page, c.req.query())
  const { owner } = c.var
  const rows = await asOwner(owner, (tx) =>
    tx
      .select()
      .from(tasks)
      .where(eq(tasks.owner_id, owner))
      .orderBy(desc(tasks.created_at), desc(tasks.id))
      .limit(limit)
      .offset(skip),
  )
  return c.json(rows)
})

app.get('/tasks/:id', async (c) => {
  const { id } = checked(Id, c.req.param())
  const { owner } = c.var
  const rows = await asOwner(owner, (tx) =>
    tx
      .select()
      .from(tasks)
      .where(and(eq(tasks.owner_id, owner), eq(tasks.id, id))),
  )
  return c.json(found(rows))
})

app.post('/tasks', async (c) => {
  const task = checked(NewTask, await c.req.json())
  const { owner } = c.var
  const rows = await asOwner(owner, (tx) =>
    tx
      .insert(tasks)
      .values({
        title: task.title,
        description: task.description ?? null,
        owner_id: owner,
        ...statusOf(task),
      })
      .returning(),
  )
  return c.json(found(rows), 201)
})

app.patch('/tasks/:id', async (c) => {
  const { id } = checked(Id, c.req.param())
  const { title, description, status } = checked(TaskPatch, await c.req.json())
  const { owner } = c.var
  const changes = {
    ...(title !== undefined && { title }),
    ...(description !== undefined && { description }),
    ...(status !== undefined && { status }),
  }
  const rows = await asOwner(owner, (tx) =>
    tx
      .update(tasks)
      .set({ ...changes, updated_at: new Date() })
      .where(and(eq(tasks.owner_id, owner), eq(tasks.id, id)))
      .returning(),
  )
  return c.json(found(rows))
})

function statusOf({ status }: z.output<typeof NewTask>) {
  return status === undefined ? {} : { status }
}

app.onError((error, c) => {
  if (error instanceof HTTPException) return error.getResponse()
  log.error(error)
  return c.text('Internal Server Error', 500)
})

serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(PORT) })
