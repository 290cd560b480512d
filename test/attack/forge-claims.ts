import { type Attack, forged } from './attack.ts'
import { audience, base64url, craft, goodClaims, hmac, type Signer, seconds } from './signer.ts'

/** Payloads that are no JSON object, or not the one they seem. */
export function payloads(signer: Signer): Attack[] {
  const good = JSON.stringify(goodClaims(signer))
  const unreadable: [string, string | Uint8Array][] = [
    ['null', 'null'],
    ['an array', `[${good}]`],
    ['a string', JSON.stringify(good)],
    ['a number', '1'],
    ['true', 'true'],
    ['cut short', good.slice(0, -1)],
    ['with something behind', `${good}x`],
    ['two objects', good + good],
    ['not JSON', 'sub=ann&exp=99999999999'],
    ['XML', '<sub>ann</sub>'],
    ['with NaN', good.replace(/"exp":\d+/, '"exp":NaN')],
    ['with Infinity', good.replace(/"exp":\d+/, '"exp":Infinity')],
    ['with a hexadecimal time', good.replace(/"exp":\d+/, '"exp":0x7fffffff')],
    ['with a time with a plus', good.replace(/"exp":/, '"exp":+')],
    ['with a time with zeros in front', good.replace(/"exp":/, '"exp":00')],
    ['with a comment', `/**/${good}`],
    ['in single quotes', good.replaceAll('"', "'")],
    ['with a byte-order mark', `\ufeff${good}`],
    ['in UTF-16', Buffer.from(good, 'utf16le')],
    ['with invalid UTF-8', Buffer.from(good.replace('owner', '\xff'), 'latin1')],
    ['with an overlong slash', Buffer.from(good.replace('owner', '\xc0\xaf'), 'latin1')],
    ['with an encoded surrogate', Buffer.from(good.replace('owner', '\xed\xa0\x80'), 'latin1')],
    ['with a raw line break in a claim', good.replace('owner', '\n')],
    ['encoded twice', base64url(good)],
    ['3,000 arrays deep and open', '['.repeat(3000)],
  ]
  const missing: [string, string][] = [
    ['an empty object', '{}'],
    ['with its claims in __proto__', `{"__proto__":${good}}`],
    ['with its claims in a member', `{"claims":${good}}`],
    ['with its claims in upper case', good.toUpperCase()],
  ]
  return [
    ...unreadable.map(([name, payloadText]) =>
      forged(`a payload ${name}`, 'payload_unreadable', () => craft(signer, { payloadText })),
    ),
    ...missing.map(([name, payloadText]) =>
      forged(`a payload ${name}`, 'claim_missing', () => craft(signer, { payloadText })),
    ),
    forged('no payload', 'not_a_jwt', () => craft(signer, { payloadText: '' })),
    forged('a payload with aud twice, a foreign one last', 'audience_not_ours', () =>
      craft(signer, { payloadText: good.replace(/\}$/, ',"aud":"https://other.example"}') }),
    ),
  ]
}

/** Claims that are missing, of the wrong type, or near the right one. */
export function claims(signer: Signer): Attack[] {
  const { issuer } = signer
  const { host, hostname } = new URL(issuer)
  const having = (name: string, reason: string, changed: Record<string, unknown>) =>
    forged(`${name} ${JSON.stringify(Object.values(changed)[0]) ?? 'missing'}`, reason, () =>
      craft(signer, { claims: changed }),
    )
  const nearIssuers = [
    ...[`${issuer}/`, `${issuer}//`, `${issuer}/api/auth`, `${issuer}?`, `${issuer}#`, `${issuer}/.`],
    ...[issuer.replace('https:', 'http:'), issuer.toUpperCase(), `https://user@${host}`, `${issuer}:443`],
    ...[` ${issuer}`, `${issuer} `, `${issuer}\n`, `${issuer}\t`, `${issuer}\u0000`, `https:${host}`],
    ...[`https:\\\\${host}`],
  ]
  const foreignIssuers = [
    ...['', 'https://evil.example', `${issuer}.evil.example`, `https://evil.example/${host}`, host, hostname],
    ...[`https://${host}@evil.example`, `https://sub.${host}`, `${issuer}:444`, issuer.slice(0, -1), 'null'],
    ...['*', issuer.replace('e', '\u0435'), `${issuer},https://evil.example`, 'mailto:x', 'data:,x', null, 0],
    ...[true, [], [issuer], {}, { iss: issuer }],
  ]
  const foreignAudiences = [
    ...['', 'https://other.example', `${audience}/`, audience.toUpperCase(), ` ${audience}`, `${audience} `],
    ...['*', `${audience},https://other.example`, `${audience} https://other.example`, `${audience}\u0000`],
    ...[issuer, [], [''], ['https://other.example'], [`${audience}/`], ['https://other.example', '*']],
    ...['null'],
  ]
  const badAudiences = [
    ...[null, 7, true, {}, { 0: audience, length: 1 }, [audience, 7], [audience, null], [[audience]]],
    ...[[{ aud: audience }], [audience, undefined], [audience, []]],
  ]
  const subjects: unknown[] = [
    ...['', null, 0, 7, true, [], ['ann'], {}, { id: 'ann' }, { sub: 'ann' }, 'x'.repeat(256)],
    ...['x'.repeat(4000), '𝄞'.repeat(256), 'a\u0000b', '\u0000', 'a\nb', 'a\r\nb', 'a\tb', '\u007f'],
    ...['a\u0085b', 'a\u009fb', '\u001b[0m', '\ud800', '\udc00', '\udc00\ud800', 'a\ud800b', 'a\u00adb'],
    ...['a\u200bb', 'a\u200db', 'a\u202eb', 'a\u2028b', 'a\u2029b', '\ufeffann', 'a\u2066b', 'a\u{e0001}b'],
    ...['a\u061cb'],
  ]
  return [
    ...['iss', 'aud', 'sub', 'exp'].map((name) => having(name, 'claim_missing', { [name]: undefined })),
    ...nearIssuers.map((iss) => having('iss', 'issuer_differs', { iss })),
    ...foreignIssuers.map((iss) => having('iss', 'issuer_unknown', { iss })),
    ...foreignAudiences.map((aud) => having('aud', 'audience_not_ours', { aud })),
    ...badAudiences.map((aud) => having('aud', 'audience_malformed', { aud })),
    ...subjects.map((sub) => having('sub', 'subject_malformed', { sub })),
  ]
}

/** Times that are no times, past, or too far ahead. */
export function times(signer: Signer): Attack[] {
  const malformed = ['"soon"', '"9999999999"', 'null', 'true', '[1]', '[]', '{}', '""', '1e999', '-1e999']
  const raw = (name: string, text: string, reason: string) =>
    forged(`${name} ${text}`, reason, () => craft(signer, { rawClaims: { [name]: text } }))
  const past = [
    `${seconds - 5}`,
    `${seconds - 5.5}`,
    `${seconds - 900}`,
    '0',
    '-0',
    '-1',
    '-1e308',
    '1e-9',
    '1',
  ]
  const tooFar = [
    `${seconds + 7 * 86_400 + 6}`,
    `${seconds * 1000}`,
    '1e20',
    '1e308',
    `${2 ** 53}`,
    '9'.repeat(300),
  ]
  const ahead = [`${seconds + 6}`, `${seconds + 5.001}`, `${seconds * 1000}`, '1e308', '9'.repeat(100)]
  const old = { exp: seconds - 60 }
  const stranger = hmac('secret')
  return [
    ...['exp', 'nbf', 'iat'].flatMap((name) => malformed.map((text) => raw(name, text, 'time_malformed'))),
    ...past.map((text) => raw('exp', text, 'expired')),
    ...tooFar.map((text) => raw('exp', text, 'expiry_too_far')),
    ...ahead.map((text) => raw('nbf', text, 'not_yet_valid')),
    ...ahead.map((text) => raw('iat', text, 'issued_in_future')),
    forged('expired, and not signed by us', 'signature_wrong', () =>
      craft(signer, { claims: old, sign: stranger }),
    ),
    forged('expired, for another API', 'audience_not_ours', () =>
      craft(signer, { claims: { ...old, aud: 'https://other.example' } }),
    ),
    forged('expired, of another type', 'type_not_jwt', () =>
      craft(signer, { claims: old, header: { typ: 'at+jwt' } }),
    ),
    forged('expired, with the lifetime counted in exp', 'expired', () =>
      craft(signer, { claims: { exp: 900 } }),
    ),
  ]
}
