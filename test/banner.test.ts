import { expect, test } from 'vitest'
import { banner } from '../src/cli/banner.ts'
import { loadConfig } from '../src/config.ts'

const bannerOf = (environment: Record<string, string>) =>
  banner('http://127.0.0.1:8000', loadConfig(environment).config)

const ownBetterAuth = { BETTER_AUTH_URL: 'https://app.example.com' }
const ownSecret = { AUTH_JWT_SECRET: 'x'.repeat(32), AUTH_JWT_ISSUER: 'login', AUTH_AUDIENCE: 'api' }

test('one’s own Better Auth is named, and where its token goes', () => {
  const text = bannerOf(ownBetterAuth)
  expect(text).toContain('tokens    https://app.example.com/api/auth/jwks')
  expect(text).toMatch(
    /token from your Better Auth \(GET https:\/\/app\.example\.com\/api\/auth\/token.+\n\nTOKEN='paste it here'\ncurl /,
  )
})

test('a shared secret alone is called that, and no Better Auth is spoken of', () => {
  const text = bannerOf(ownSecret)
  expect(text).toContain('tokens    shared secret (AUTH_JWT_SECRET)')
  expect(text).toMatch(/with the shared secret .+\n\nTOKEN='paste it here'\ncurl /)
  expect(text).not.toContain('Better Auth')
})

test('the token of the demo user is asked for in a way that works under any HOST', () => {
  const lineFor = (origin: string) => /^TOKEN=.*$/m.exec(banner(origin, loadConfig({}).config))?.[0]
  expect(lineFor('http://127.0.0.1:8000')).toBe('TOKEN=$(curl -s $API/docs/token)')
  expect(lineFor('http://192.168.0.7:8000')).toBe("TOKEN=$(curl -s $API/docs/token -H 'Host: localhost')")
})
