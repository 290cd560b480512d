import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

export type BetterAuthApp = AsyncDisposable & {
  /** Its origin, which is what `BETTER_AUTH_URL` wants, and `iss` and `aud` of its tokens. */
  url: string
  /** A new user each call, also for a name that was used before. `token` is the JWT from `/api/auth/token`. */
  signUp(name: string): Promise<{ token: string; userId: string }>
  stop(): Promise<void>
}

const Ready = z.object({ url: z.url() })
const SignedUp = z.object({ user: z.object({ id: z.string() }) })
const Issued = z.object({ token: z.string() })

/** Starts a separately running, real Better Auth on a free loopback port. It ends with `stop()` or with us. */
export async function startBetterAuthApp(): Promise<BetterAuthApp> {
  // Its own settings only: what the tests are started with must not turn a check of Better Auth off.
  const env = { PATH: process.env.PATH, NODE_ENV: 'development' }
  const script = fileURLToPath(new URL('./better-auth-process.ts', import.meta.url))
  const child = fork(script, { env, execArgv: ['--disable-warning=ExperimentalWarning'] })
  const ended = once(child, 'exit')
  const first = await Promise.race([once(child, 'message'), ended])
  if (child.exitCode !== null) throw new Error(`The Better Auth app ended with exit code ${child.exitCode}`)
  const { url } = Ready.parse(first[0])
  let users = 0

  async function signUp(name: string) {
    users += 1
    const email = `${name.toLowerCase().replace(/[^a-z0-9]/g, '')}.${users}@example.com`
    // Node's fetch sends `Sec-Fetch-Mode`, which makes Better Auth ask for an Origin as it does of a browser.
    const headers = { 'content-type': 'application/json', origin: url }
    const body = JSON.stringify({ name, email, password: 'correct horse battery' })
    const signedUp = await fetch(`${url}/api/auth/sign-up/email`, { method: 'POST', headers, body })
    const { user } = SignedUp.parse(await signedUp.json())
    const cookie = signedUp.headers.getSetCookie().map((line) => line.split(';', 1)[0])
    const issued = await fetch(`${url}/api/auth/token`, { headers: { cookie: cookie.join('; ') } })
    return { token: Issued.parse(await issued.json()).token, userId: user.id }
  }

  async function stop() {
    if (child.connected) child.disconnect()
    await ended
  }

  return { url, signUp, stop, [Symbol.asyncDispose]: stop }
}
