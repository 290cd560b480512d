import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { developmentSecret } from '../auth/development-secret.ts'
import { loadConfig, readEnvironment } from '../config.ts'
import { StartError } from '../errors.ts'

/**
 * Signs a demo user up (or in) at the built-in issuer of the running server and prints a JWT, as an app would.
 * The same name is the same user every time.
 *
 * @throws StartError when there is no built-in issuer or the server does not answer.
 */
export async function runToken(user: string): Promise<number> {
  const { config } = loadConfig(readEnvironment())
  if (!config.builtInIssuer)
    throw new StartError(
      'docket token is for the built-in issuer of development: get a token from your own Better Auth (GET /api/auth/token).',
      78,
    )
  if (!/^[a-z0-9-]{1,32}$/.test(user))
    throw new StartError('--user takes 1 to 32 small letters, digits and hyphens.', 2)
  const origin = `http://127.0.0.1:${config.port}`
  const secret = await developmentSecret(config.dataDir)
  const password = createHmac('sha256', secret).update(`demo user ${user}`).digest('base64url')
  // Not the address of the user behind /docs, whose password nobody has.
  const email = `${user}@cli.docket.localhost`
  const session =
    (await post(`${origin}/api/auth/sign-in/email`, { email, password })) ??
    (await post(`${origin}/api/auth/sign-up/email`, { email, password, name: user }))
  const headers = { authorization: `Bearer ${session}` }
  const token = await tokenIn(await reach(`${origin}/api/auth/token`, { headers }))
  if (token === undefined)
    throw new StartError('The built-in issuer gave no token: stop the server and start it again.', 69)
  process.stdout.write(`${token}\n`)
  return 0
}

async function post(url: string, body: object): Promise<string | undefined> {
  const headers = { 'content-type': 'application/json' }
  return tokenIn(await reach(url, { method: 'POST', headers, body: JSON.stringify(body) }))
}

const Answer = z.object({ token: z.string() })

async function tokenIn(response: Response): Promise<string | undefined> {
  return response.ok ? Answer.safeParse(await response.json()).data?.token : undefined
}

async function reach(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, signal: AbortSignal.timeout(5_000) })
  } catch (error) {
    throw new StartError(
      'No server answers at PORT: start it first with npm start, and use the same PORT and DATA_DIR here.',
      69,
      error,
    )
  }
}
