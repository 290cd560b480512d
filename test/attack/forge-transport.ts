import { type Attack, sent } from './attack.ts'
import { craft, type Signer } from './signer.ts'

/** Good tokens in the wrong place, more than one of them, and header lines that readers disagree about. */
export function transport(signer: Signer): Attack[] {
  const twice = (name: string, lines: Attack['lines']) => sent(name, 'two_authorization_headers', lines)
  const elsewhere = (name: string, lines: Attack['lines'] = () => []) => sent(name, 'no_authorization', lines)
  const scheme = (value: (good: string) => string) =>
    sent(`the value ${value('<token>')}`, 'not_bearer', (good) => [`Authorization: ${value(good)}`])
  const unreadable = (name: string, lines: Attack['lines']) => sent(name, undefined, lines)
  const bearer = (good: string, name = 'Authorization') => `${name}: Bearer ${good}`
  return [
    twice('a good token twice', (good) => [bearer(good), bearer(good)]),
    twice('two good tokens', (good) => [bearer(good), bearer(craft(signer))]),
    twice('two spellings of the header', (good) => [bearer(good), bearer(good, 'AUTHORIZATION')]),
    twice('a good token before a bad one', (good) => [bearer(good), bearer('x')]),
    twice('a good token behind a bad one', (good) => [bearer('x'), bearer(good)]),
    twice('a good token behind Basic', (good) => ['Authorization: Basic YTpi', bearer(good)]),
    twice('a good token behind an empty header', (good) => ['Authorization:', bearer(good)]),
    twice('a good token before an empty header', (good) => [bearer(good), 'Authorization:']),
    twice('three of them', (good) => [bearer(good), bearer(good), bearer(good)]),
    twice('two with others between', (good) => [bearer(good), 'X-Other: 1', 'Cookie: a=b', bearer(good)]),

    elsewhere('nothing at all'),
    elsewhere('in X-Authorization', (good) => [bearer(good, 'X-Authorization')]),
    elsewhere('in Proxy-Authorization', (good) => [bearer(good, 'Proxy-Authorization')]),
    elsewhere('in X-Forwarded-Authorization', (good) => [bearer(good, 'X-Forwarded-Authorization')]),
    elsewhere('in X-Access-Token', (good) => [`X-Access-Token: ${good}`]),
    elsewhere('in X-Auth-Token', (good) => [`X-Auth-Token: ${good}`]),
    elsewhere('in Authentication', (good) => [bearer(good, 'Authentication')]),
    elsewhere('in Authorization_', (good) => [bearer(good, 'Authorization_')]),
    elsewhere('in Http_Authorization', (good) => [bearer(good, 'Http_Authorization')]),
    elsewhere('in WWW-Authenticate', (good) => [bearer(good, 'WWW-Authenticate')]),
    elsewhere('in Sec-WebSocket-Protocol', (good) => [`Sec-WebSocket-Protocol: ${good}`]),
    elsewhere('in a cookie', (good) => [
      `Cookie: token=${good}; access_token=${good}; Authorization=${good}`,
    ]),
    elsewhere('in the cookies of Better Auth', (good) => [
      `Cookie: better-auth.session_token=${good}; __Secure-better-auth.session_token=${good}`,
    ]),
    ...['access_token', 'token', 'jwt', 'authorization', 'Authorization'].map((name) => ({
      ...elsewhere(`in the query as ${name}`),
      method: 'GET',
      target: (good: string) => `/api/v1/tasks?${name}=${name.startsWith('a') ? good : `Bearer+${good}`}`,
    })),
    {
      ...elsewhere('in a form', () => ['Content-Type: application/x-www-form-urlencoded']),
      method: 'POST',
      target: () => '/api/v1/tasks',
      body: (good) => `access_token=${good}`,
    },
    {
      ...elsewhere('in a body', () => ['Content-Type: application/json']),
      method: 'POST',
      target: () => '/api/v1/tasks',
      body: (good) => JSON.stringify({ title: 'x', access_token: good }),
    },

    scheme(() => ''),
    scheme(() => 'Bearer'),
    scheme(() => 'Bearer '),
    scheme((good) => good),
    ...[
      'Basic',
      'Digest',
      'Negotiate',
      'Token',
      'JWT',
      'DPoP',
      'MAC',
      'Beareer',
      'Bear',
      'Bearer,',
      'XBearer',
    ].map((name) => scheme((good) => `${name} ${good}`)),
    ...[':', '=', ',', '_', '\t', '\t ', '/', '\u00a0', '%20', '+', ';'].map((between) =>
      scheme((good) => `Bearer${between}${good}`),
    ),
    scheme((good) => `Basic YTpi, Bearer ${good}`),
    scheme((good) => `"Bearer ${good}"`),
    scheme((good) => `Basic ${Buffer.from(`ann:${good}`).toString('base64')}`),
    scheme((good) => `Authorization: Bearer ${good}`),

    unreadable('a NUL behind the token', (good) => [`${bearer(good)}\u0000`]),
    unreadable('a NUL before the token', (good) => [bearer(`\u0000${good}`)]),
    unreadable('a bare line feed inside', (good) => [bearer(good.replace('.', '\n.'))]),
    unreadable('a bare carriage return inside', (good) => [bearer(good.replace('.', '\r.'))]),
    unreadable('a folded line', (good) => ['Authorization: Bearer', ` ${good}`]),
    unreadable('a space before the colon', (good) => [bearer(good, 'Authorization ')]),
    unreadable('a space before the name', (good) => [bearer(good, ' Authorization')]),
    unreadable('no colon', (good) => [`Authorization Bearer ${good}`]),
    unreadable('a control character', (good) => [bearer(`\u0007${good}`)]),
    unreadable('a delete character', (good) => [bearer(`${good}\u007f`)]),
  ]
}
