/**
 * A Better Auth app as its users run it: a process of its own, a database of its own, the `jwt` plugin with its
 * defaults. `better-auth-app` starts it; it sends its origin over the IPC channel and ends when that closes.
 */
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { DatabaseSync } from 'node:sqlite'
import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import { toNodeHandler } from 'better-auth/node'
import { jwt } from 'better-auth/plugins/jwt'

process.on('disconnect', () => process.exit(0))

const server = createServer()
server.listen(0, '127.0.0.1', async () => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server has no port')
  const url = `http://127.0.0.1:${address.port}`
  const options = {
    baseURL: url,
    secret: randomBytes(32).toString('base64url'),
    database: new DatabaseSync(':memory:'),
    emailAndPassword: { enabled: true },
    plugins: [jwt()],
    telemetry: { enabled: false },
  }
  await (await getMigrations(options)).runMigrations()
  server.on('request', toNodeHandler(betterAuth(options)))
  process.send?.({ url })
})
