import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type BetterAuthApp, startBetterAuthApp } from '../support/better-auth-app.ts'

let app: BetterAuthApp
beforeAll(async () => {
  app = await startBetterAuthApp()
})
afterAll(() => app.stop())

test('a separately running Better Auth signs with EdDSA for its own origin, with the user’s id as subject', async () => {
  const { token, userId } = await app.signUp('Ann')
  const keys = createRemoteJWKSet(new URL('/api/auth/jwks', app.url))
  const { payload, protectedHeader } = await jwtVerify(token, keys)
  expect(protectedHeader).toEqual({ alg: 'EdDSA', kid: expect.any(String) })
  expect(payload).toMatchObject({ iss: app.url, aud: app.url, sub: userId, name: 'Ann' })
  expect(Number(payload.exp) - Number(payload.iat)).toBe(900)
})

test('the same name twice is two users, and a dozen in a row are not refused', async () => {
  const subjects = new Set<string | undefined>()
  for (let user = 0; user < 12; user++) subjects.add(decodeJwt((await app.signUp('Bob')).token).sub)
  expect(subjects.size).toBe(12)
})

test('it ends when the process that started it is killed', async () => {
  const support = new URL('../support/better-auth-app.ts', import.meta.url)
  const start = `const { startBetterAuthApp } = await import(${JSON.stringify(fileURLToPath(support))})
    console.log((await startBetterAuthApp()).url)`
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', start], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [url] = await once(parent.stdout.setEncoding('utf8'), 'data')
  expect((await fetch(new URL('/api/auth/ok', url.trim()))).status).toBe(200)
  parent.kill('SIGKILL')
  // The app inherited this pipe: it closes when the last of the two has ended.
  await once(parent, 'close')
  await expect(fetch(new URL('/api/auth/ok', url.trim()))).rejects.toThrow()
})
