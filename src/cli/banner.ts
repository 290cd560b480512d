import { howToGetToken } from '../auth/sources.ts'
import type { Config } from '../config.ts'
import { demoTokenPath, isOwnName } from '../http/docs/demo-token.ts'

/** The text for a person in development: the address, and a first request that works when pasted. */
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

/** Gets a token of the demo user (the user of `/docs`) and makes a task. Needs only a POSIX shell and curl. */
function firstRequest(origin: string): string[] {
  // HOST may be another name or address of this machine. The server gives the token only under its own names.
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
