import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { madeDevelopmentSecret } from '../auth/built-in/development-secret.ts'
import { loadConfig, readEnvironment } from '../config.ts'
import { StartError } from '../errors.ts'

/**
 * Signs a demo user up (or in) at the built-in issuer of the running server and prints a JWT, as an app would.
 * The same name is the same user every time.
 *
 * @throws StartError when there is no built-in issuer, the server does not answer, or its DATA_DIR is another one.
 */
export async function runToken(user: string): Promise<number> {
  const { config } = loadConfig(readEnvironment())
  if (!config.builtInIssuer)
    throw new StartError(
      'npx docket token is for the built-in issuer of development: get a token from your own Better Auth (GET /api/auth/token).',
      78,
    )
  if (!/^[a-z0-9-]{1,32}$/.test(user))
    throw new StartError('--user takes 1 to 32 small letters, digits and hyphens.', 2)
  const origin = `http://${reachableName(config.host)}:${config.port}`
  await reach(`${origin}/livez`, {})
  const secret = await madeDevelopmentSecret(config.dataDir)
  const password = createHmac('sha256', secret).update(`demo user ${user}`).digest('base64url')
  // Not the address of the user behind /docs, whose password nobody has.
  const email = `${user}@cli.docket.localhost`
  const session =
    (await tokenIn(await post(origin, 'sign-in', { email, password }))) ??
    (await signUp(origin, { email, password, name: user }))
  const headers = { authorization: `Bearer ${session}` }
  const token = await tokenIn(await reach(`${origin}/api/auth/token`, { headers }))
  if (token === undefined)
    throw new StartError(
      'The server at PORT gave no token: check that it is a Docket with the same DATA_DIR, and start it again.',
      69,
    )
  process.stdout.write(`${token}\n`)
  return 0
}

async function signUp(origin: string, body: object): Promise<string | undefined> {
  const response = await post(origin, 'sign-up', body)
  // There is such a user, and the password that this DATA_DIR gives was refused before.
  if (response.status === 422)
    throw new StartError(
      'This user was made under another DATA_DIR: use that one, or --user with another name.',
      78,
    )
  return tokenIn(response)
}

async function post(origin: string, what: 'sign-in' | 'sign-up', body: object): Promise<Response> {
  // Node's fetch says `Sec-Fetch-Mode`, on which Better Auth asks for an Origin as it does of a browser.
  const headers = { 'content-type': 'application/json', origin }
  const url = `${origin}/api/auth/${what}/email`
  return reach(url, { method: 'POST', headers, body: JSON.stringify(body) })
}

const Answer = z.object({ token: z.string() })

/** Whatever else listens at that port may answer anything. */
async function tokenIn(response: Response): Promise<string | undefined> {
  if (!response.ok) return undefined
  const body: unknown = await response.json().catch(() => undefined)
  return Answer.safeParse(body).data?.token
}

/** Where a server that listens at `host` is reached from here. */
function reachableName(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}

async function reach(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, signal: AbortSignal.timeout(5_000) })
  } catch (error) {
    throw new StartError(
      'No server answers at PORT: start it first with npm start, and use the same HOST, PORT and DATA_DIR here.',
      69,
      error,
    )
  }
}
