/** Fastify with its schemas and its logger, Prisma with its adapter for `pg`. Prisma knows no policies: the owner is in the filter. */
import { PrismaPg } from '@prisma/adapter-pg'
import prisma from '@prisma/client'
import Fastify from 'fastify'
import { createRemoteJWKSet, jwtVerify } from 'jose'

const { PORT, DATABASE_URL, POOL_SIZE, JWKS_URL, ISSUER, AUDIENCE } = process.env

const adapter = new PrismaPg({ connectionString: DATABASE_URL, max: Number(POOL_SIZE) })
const db = new prisma.PrismaClient({ adapter })
const keys = createRemoteJWKSet(new URL(JWKS_URL))
const app = Fastify({ logger: true })

const status = { type: 'string', enum: ['Todo', 'InProgress', 'Done'] }
const description = { type: 'string', nullable: true, maxLength: 10_000 }
const title = { type: 'string', minLength: 1, maxLength: 255 }
const instant = { type: 'string', format: 'date-time' }
const Task = {
  type: 'object',
  properties: {
    ...{ id: { type: 'string' }, title, description, status },
    ...{ owner_id: { type: 'string' }, created_at: instant, updated_at: instant },
  },
}
const changes = { type: 'object', additionalProperties: false, properties: { title, description, status } }
const params = { type: 'object', properties: { id: { type: 'string', format: 'uuid' } } }
const page = {
  type: 'object',
  properties: {
    skip: { type: 'integer', minimum: 0, default: 0 },
    limit: { type: 'integer', minimum: 1, maximum: 500, default: 100 },
  },
}
const noSuchTask = { statusCode: 404, message: 'Task not found' }

app.get('/health', () => 'ok')

app.register(async (tasks) => {
  tasks.decorateRequest('owner', '')
  tasks.addHook('onRequest', async (request, reply) => {
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer: ISSUER,
        audience: AUDIENCE,
        algorithms: ['EdDSA'],
        requiredClaims: ['exp', 'sub'],
      })
      request.owner = payload.sub
    } catch {
      return reply.code(401).send({ statusCode: 401, message: 'Unauthorized' })
    }
  })

  tasks.get(
    '/tasks',
    { schema: { querystring: page, response: { 200: { type: 'array', items: Task } } } },
    (request) =>
      db.task.findMany({
        where: { owner_id: request.owner },
        orderBy: [{ created_at: 'desc' }, { id: 'desc' }],
        skip: request.query.skip,
        take: request.query.limit,
      }),
  )

  const own = (request) => ({ owner_id_id: { owner_id: request.owner, id: request.params.id } })

  tasks.get('/tasks/:id', { schema: { params, response: { 200: Task } } }, async (request, reply) => {
    const task = await db.task.findUnique({ where: own(request) })
    return task ?? reply.code(404).send(noSuchTask)
  })

  tasks.post(
    '/tasks',
    { schema: { body: { ...changes, required: ['title'] }, response: { 201: Task } } },
    async (request, reply) => {
      reply.code(201)
      return db.task.create({ data: { ...request.body, owner_id: request.owner } })
    },
  )

  tasks.patch(
    '/tasks/:id',
    { schema: { params, body: changes, response: { 200: Task } } },
    async (request, reply) => {
      try {
        return await db.task.update({ where: own(request), data: request.body })
      } catch (error) {
        // Nothing was found to update.
        if (error.code === 'P2025') return reply.code(404).send(noSuchTask)
        throw error
      }
    },
  )
})

await app.listen({ host: '127.0.0.1', port: Number(PORT) })
