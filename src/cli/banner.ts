import { howToGetToken } from '../auth/sources.ts'
import type { Config } from '../config.ts'
import { demoTokenPath, isOwnName } from '../http/docs/demo-token.ts'

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

/** A token of the demo user, who is the one of `/docs` too, and a task of theirs: needs nothing but a POSIX shell and curl. */
function firstRequest(origin: string): string[] {
  // HOST may be another name or address of this machine, and the token is for its own people.
  const fromHere = isOwnName(new URL(origin).hostname) ? '' : " -H 'Host: localhost'"
  return [
    '  Create a task as the demo user of /docs (paste all of it):',
    '',
    `API=${origin}`,
    `TOKEN=$(curl -s $API${demoTokenPath}${fromHere})`,
    `curl -i $API/api/v1/tasks -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"title":"Buy milk"}'`,
  ]
}

function ownToken(origin: string, config: Config): string[] {
  return [
    `  ${capitalised(howToGetToken(config))}, then:`,
    '',
    "TOKEN='paste it here'",
    `curl -i ${origin}/api/v1/tasks -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"title":"Buy milk"}'`,
  ]
}

const capitalised = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)
