import type { Config } from '../config.ts'

/** What a person sees when the server is up in development: where it is, and a first request that works when pasted. */
export function banner(origin: string, config: Config): string {
  const database =
    config.database.kind === 'embedded'
      ? `embedded, in ${config.dataDir}`
      : 'DATABASE_URL, brought up to date at each start'
  const keys = config.builtInIssuer
    ? `Better Auth, built in at ${origin}/api/auth`
    : (config.keySet?.url ?? 'shared secret (AUTH_JWT_SECRET)')
  const lines = [
    '',
    `  Docket is listening at ${origin}`,
    '',
    `  docs      ${origin}/docs`,
    `  database  ${database}`,
    `  tokens    ${keys}`,
    '',
    ...(config.builtInIssuer ? firstRequest(origin) : ownToken(origin, config)),
    '',
    '',
  ]
  return lines.join('\n')
}

/** Sign up, trade the session for a JWT, create a task: needs nothing but a POSIX shell and curl. A new address each time, so it can be pasted again. */
function firstRequest(origin: string): string[] {
  return [
    '  Sign up, get a token, create a task (paste all of it):',
    '',
    `API=${origin}`,
    `SESSION=$(curl -s $API/api/auth/sign-up/email -H 'Content-Type: application/json' \\`,
    `  -d '{"name":"Ann","email":"ann-'$(od -An -N6 -tx1 /dev/urandom | tr -d ' ')'@example.com","password":"correct horse"}' | sed 's/.*"token":"\\([^"]*\\)".*/\\1/')`,
    `TOKEN=$(curl -s $API/api/auth/token -H "Authorization: Bearer $SESSION" | sed 's/.*"token":"\\([^"]*\\)".*/\\1/')`,
    `curl -i $API/api/v1/tasks -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"title":"Buy milk"}'`,
  ]
}

function ownToken(origin: string, config: Config): string[] {
  return [
    config.keySet === undefined
      ? '  With a token signed with your shared secret (HS256):'
      : '  With a token of your Better Auth (GET /api/auth/token there):',
    '',
    "TOKEN='paste it here'",
    `curl -i ${origin}/api/v1/tasks -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"title":"Buy milk"}'`,
  ]
}
