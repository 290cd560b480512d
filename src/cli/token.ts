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
 * Prints a JWT of the running server's demo user, who is also the user of `/docs`. Any other name is a separate user,
 * signed up (or in) at the built-in issuer as an app would do it. The same name is the same user every time.
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

/**
 * Requests a URL of this machine with `Host: localhost`. HOST may be another name, and `fetch` cannot set that header.
 */
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
  // Sign-up comes first: a refused sign-in is a warning in the log, a refused sign-up is not.
  const signedUp = await post(origin, 'sign-up', { email, password, name: user })
  const isKnown = signedUp.status === 422
  const session = isKnown ? await signIn(origin, { email, password }) : await tokenIn(signedUp)
  const headers = { authorization: `Bearer ${session}` }
  return tokenIn(await reach(`${origin}/api/auth/token`, { headers }))
}

async function signIn(origin: string, body: object): Promise<string | undefined> {
  const response = await post(origin, 'sign-in', body)
  // The user exists, but with a password of another DATA_DIR.
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

/** Another program may listen at that port and answer anything. */
async function tokenIn(response: Response): Promise<string | undefined> {
  if (!response.ok) return undefined
  const body: unknown = await response.json().catch(() => undefined)
  return Answer.safeParse(body).data?.token
}

/** The host name by which this machine reaches a server that listens at `host`. */
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
