/**
 * The floor: Node's own HTTP server that sends the same owner batches over the same connections, and believes
 * whatever it is told. No token is checked (the bearer is the owner), nothing is validated or logged.
 */
import { createServer, type IncomingMessage } from 'node:http'
import { pino } from 'pino'
import { newId } from '../../../src/api/new-id.ts'
import { openPostgres } from '../../../src/database/database.ts'
import { createTask, getTask, listTasks, patchTask, taskStatements } from '../../../src/tasks/statements.ts'
import { askOne } from '../../../test/support/ask.ts'

const { PORT, DATABASE_URL = '', DATABASE_CONNECTIONS } = process.env

const database = await openPostgres({
  url: DATABASE_URL,
  statements: taskStatements,
  log: pino({ level: 'silent' }),
  limits: { connections: Number(DATABASE_CONNECTIONS) },
})

const collection = '/tasks'

async function answer(request: IncomingMessage): Promise<{ status: number; json: string }> {
  const owner = request.headers.authorization?.slice('Bearer '.length) ?? ''
  const [path = '', query] = request.url?.split('?') ?? []
  if (request.method === 'POST') {
    const { title, description, status } = JSON.parse(await bodyOf(request))
    const task = { id: newId(), given: { title, description, status } }
    return { status: 201, json: JSON.stringify(await askOne(database, owner, createTask, task)) }
  }
  if (path === collection) {
    const limit = Number(new URLSearchParams(query).get('limit'))
    const { json } = await askOne(database, owner, listTasks, { limit, skip: 0 })
    return { status: 200, json }
  }
  const id = path.slice(collection.length + 1)
  if (request.method === 'PATCH') {
    const { title } = JSON.parse(await bodyOf(request))
    const row = await askOne(database, owner, patchTask, { id, given: { title } })
    return found(row && JSON.stringify(row))
  }
  return found(await askOne(database, owner, getTask, { id }))
}

function found(json: string | null) {
  return json === null ? { status: 404, json: '{}' } : { status: 200, json }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

createServer((request, response) => {
  if (request.url === '/health') return response.end()
  answer(request).then(
    ({ status, json }) => {
      const length = Buffer.byteLength(json)
      response.writeHead(status, { 'content-type': 'application/json', 'content-length': length }).end(json)
    },
    () => response.writeHead(500).end(),
  )
}).listen(Number(PORT), '127.0.0.1')
