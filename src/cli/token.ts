import { createHmac } from 'node:crypto'
import { get, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { z } from 'zod'
import { madeDevelopmentSecret } from '../auth/built-in/development-secret.ts'
import { howToGetToken } from '../auth/sources.ts'
import { loadConfig, readEnvironment } from '../config.ts'
import { StartError } from '../errors.ts'
import { demoTokenPath } from '../http/docs/demo-token.ts'

/**
 * Prints a JWT of the demo user of the running server, who is the one of `/docs`. Any other name is a user of its own,
 * who is signed up (or in) at the built-in issuer as an app would do it. The same name is the same user every time.
 *
 * @throws StartError when there is no built-in issuer, the server does not answer, or its DATA_DIR is another one.
 */
export async function runToken(user: string): Promise<number> {
  const { config } = loadConfig(readEnvironment())
  if (!config.builtInIssuer)
    throw new StartError(
      `npx docket token is for the built-in issuer of development: ${howToGetToken(config)}.`,
      78,
    )
  if (!/^[a-z0-9-]{1,32}$/.test(user))
    throw new StartError('--user takes 1 to 32 small letters, digits and hyphens.', 2)
  const origin = `http://${reachableName(config.host)}:${config.port}`
  const token = user === 'demo' ? await demoToken(origin) : await userToken(origin, user, config.dataDir)
  if (token === undefined)
    throw new StartError(
      'The server at PORT gave no token: check that it is a Docket with the same DATA_DIR, and start it again.',
      69,
    )
  process.stdout.write(`${token}\n`)
  return 0
}

async function demoToken(origin: string): Promise<string | undefined> {
  const answer = await textAt(`${origin}${demoTokenPath}`).catch(refuseUnreachable)
  return /^[\w-]+\.[\w-]+\.[\w-]+$/.exec(answer.trim())?.[0]
}

/** What a server answers to somebody on its machine. `fetch` cannot say the name that HOST may have hidden. */
async function textAt(url: string): Promise<string> {
  const { promise: answered, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const signal = AbortSignal.timeout(patienceMs)
  get(url, { headers: { host: 'localhost' }, signal, agent: false }, resolve).once('error', reject)
  return text(await answered)
}

async function userToken(origin: string, user: string, dataDir: string): Promise<string | undefined> {
  await reach(`${origin}/livez`, {})
  const secret = await madeDevelopmentSecret(dataDir)
  const password = createHmac('sha256', secret).update(`demo user ${user}`).digest('base64url')
  const email = `${user}@cli.docket.localhost`
  // In this order, as a refused sign-in is a warning in the log and a refused sign-up is none.
  const signedUp = await post(origin, 'sign-up', { email, password, name: user })
  const isKnown = signedUp.status === 422
  const session = isKnown ? await signIn(origin, { email, password }) : await tokenIn(signedUp)
  const headers = { authorization: `Bearer ${session}` }
  return tokenIn(await reach(`${origin}/api/auth/token`, { headers }))
}

async function signIn(origin: string, body: object): Promise<string | undefined> {
  const response = await post(origin, 'sign-in', body)
  // There is such a user, and not by the password that this DATA_DIR gives.
  if (response.status === 401)
    throw new StartError(
      'This user was made under another DATA_DIR: use that one, or --user with another name.',
      78,
    )
  return tokenIn(response)
}

async function post(origin: string, what: 'sign-in' | 'sign-up', body: object): Promise<Response> {
  const headers = { 'content-type': 'application/json' }
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

const patienceMs = 5_000

async function reach(url: string, init: RequestInit): Promise<Response> {
  return fetch(url, { ...init, signal: AbortSignal.timeout(patienceMs) }).catch(refuseUnreachable)
}

function refuseUnreachable(error: unknown): never {
  throw new StartError(
    'No server answers at PORT: start it first with npm start, and use the same HOST, PORT and DATA_DIR here.',
    69,
    error,
  )
}
