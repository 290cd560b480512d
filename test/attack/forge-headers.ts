import { type Attack, forged } from './attack.ts'
import { base64url, craft, goodClaims, hmac, keyOfSet, type Signer } from './signer.ts'

const types = [
  ...['at+jwt', 'application/at+jwt', 'text/jwt', 'application//jwt', 'JWT ', ' JWT', 'JOSE', 'JWE', ''],
  ...['better-auth.session-cache+jwt', 'dpop+jwt', 'logout+jwt', 'secevent+jwt', 'id+jwt', 'JWS'],
  ...['JWT\u0000', null, 0, 1, true, [], ['JWT'], {}],
]

const printableKeyIds = [
  ...['../../../../../../dev/null', '/dev/null', 'file:///dev/null', "' OR '1'='1", "x' UNION SELECT 'k'--"],
  ...['key; sleep 1', '$(id)', '`id`', '| id', '%2e%2e%2f', '{{7*7}}', '__proto__', 'constructor'],
  ...['toString', 'hasOwnProperty', 'EdDSA', 'none', '*', '0', '-1', ' ', '"', '\\', 'x'.repeat(128)],
]
const malformedKeyIds = [
  ...['', 'x'.repeat(129), 'x'.repeat(4000), 'a\nb', 'a\r\nX-Evil: 1', 'a\u0000b', 'é', '😀', '\ud800'],
  ...['\u202e', null, 0, 7, true, [], ['k'], {}, { kid: 'k' }],
]

/**
 * Headers that point at keys of the sender's choice, change what is signed, or name the key in ways that hurt.
 * `trap` is an address whose requests are counted: nothing may ask there.
 */
export function headers(trap: string): (signer: Signer) => Attack[] {
  return (signer) => {
    const { kind, kid, issuer } = signer
    const stranger = keyOfSet('EdDSA')
    const byStranger = { sign: kind === 'secret' ? hmac('secret') : stranger.sign }
    const named = kind === 'key-set' ? { kid } : {}
    const members: [string, unknown][] = [
      ['jku', trap],
      ['x5u', trap],
      ['jwk', stranger.jwk],
      ['jwk', { kty: 'oct', k: base64url('secret') }],
      ['x5c', [base64url('a certificate')]],
      ['crit', ['exp']],
      ['crit', ['b64']],
      ['crit', []],
      ['b64', false],
      ['b64', true],
      ['zip', 'DEF'],
      ['cty', 'JWT'],
      ['enc', 'A256GCM'],
      ['jku', null],
      ['crit', null],
    ]
    return [
      ...members.flatMap(([name, value]) => [
        forged(`${name} ${JSON.stringify(value)}, well signed`, 'header_member_forbidden', () =>
          craft(signer, { header: { [name]: value } }),
        ),
        forged(`${name} ${JSON.stringify(value)}, signed by its owner`, 'header_member_forbidden', () =>
          craft(signer, { ...byStranger, header: { ...named, [name]: value } }),
        ),
      ]),
      ...types.map((typ) =>
        forged(`typ ${JSON.stringify(typ)}`, 'type_not_jwt', () => craft(signer, { header: { typ } })),
      ),
      ...[...printableKeyIds, trap, issuer, ...lookAlikes(kid)].map((other) =>
        forged(
          `kid ${JSON.stringify(other)}`,
          kind === 'secret' ? 'signature_wrong' : 'key_unknown',
          // A shared secret has no name, so there only the signature of a stranger can be wrong.
          () => craft(signer, { ...(kind === 'secret' && byStranger), header: { kid: other } }),
        ),
      ),
      ...malformedKeyIds.map((other) =>
        forged(`kid ${JSON.stringify(other)?.slice(0, 40)}`, 'key_id_malformed', () =>
          craft(signer, { header: { kid: other } }),
        ),
      ),
      ...(kind === 'key-set'
        ? [forged('no kid', 'key_id_malformed', () => craft(signer, { header: { kid: undefined } }))]
        : []),
      ...headerTexts(signer),
    ]
  }
}

function lookAlikes(kid: string | undefined): string[] {
  return kid === undefined ? [] : [kid.toUpperCase(), `${kid} `, ` ${kid}`, kid.slice(1), `${kid}0`]
}

/** Headers that are no JSON object, or one that readers disagree about. */
function headerTexts(signer: Signer): Attack[] {
  const { alg, kid = 'k' } = signer
  const good = JSON.stringify({ alg, kid })
  const unreadable: [string, string | Uint8Array][] = [
    ['an array', `[${good}]`],
    ['null', 'null'],
    ['a string', JSON.stringify(good)],
    ['a number', '1'],
    ['cut short', good.slice(0, -1)],
    ['with something behind', `${good}x`],
    ['two objects', good + good],
    ['with a byte-order mark', `\ufeff${good}`],
    ['in UTF-16', Buffer.from(good, 'utf16le')],
    ['with invalid UTF-8', Buffer.from(`{"alg":"${alg}","x":"\xff"}`, 'latin1')],
    ['with an overlong slash', Buffer.from(`{"alg":"${alg}","x":"\xc0\xaf"}`, 'latin1')],
    ['with a comment', `/**/${good}`],
    ['in single quotes', good.replaceAll('"', "'")],
    ['with a trailing comma', `${good.slice(0, -1)},}`],
    ['with a NUL behind', `${good}\u0000`],
    ['2,000 arrays deep', '['.repeat(2000) + ']'.repeat(2000)],
  ]
  return [
    ...unreadable.map(([name, headerText]) =>
      forged(`a header ${name}`, 'header_unreadable', () => craft(signer, { headerText })),
    ),
    forged('a header with alg in its __proto__', 'algorithm_not_allowed', () =>
      craft(signer, { headerText: `{"__proto__":${good}}` }),
    ),
    forged('an empty header', 'algorithm_not_allowed', () => craft(signer, { headerText: '{}' })),
    forged('header and payload in each other’s place', 'claim_missing', () =>
      craft(signer, { headerText: JSON.stringify(goodClaims(signer)), payloadText: good }),
    ),
  ]
}
