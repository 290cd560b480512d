import { type Attack, forged, partsOf, sent } from './attack.ts'
import { base64url, craft, type Signer } from './signer.ts'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Other texts for the same bytes, texts that are near a token, and tokens of other forms. */
export function spellings(signer: Signer): Attack[] {
  const form = (name: string, make: (good: string) => string) => forged(name, 'not_a_jwt', make)
  const part = (name: string, index: 0 | 1 | 2, change: (part: string) => string) =>
    forged(`${name} in part ${index + 1}`, 'not_canonical', (good) =>
      partsOf(good)
        .map((each, at) => (at === index ? change(each) : each))
        .join('.'),
    )
  return [
    ...([0, 1, 2] as const).flatMap((index) => [
      part('one padding sign', index, (each) => `${each}=`),
      part('two padding signs', index, (each) => `${each}==`),
      part('encoded padding', index, (each) => `${each}%3D`),
      part('a space inside', index, (each) => `${each.slice(0, 4)} ${each.slice(4)}`),
      part('a tab inside', index, (each) => `${each.slice(0, 4)}\t${each.slice(4)}`),
      part('a plus', index, (each) => `${each.slice(0, 4)}+${each.slice(5)}`),
      part('a slash', index, (each) => `${each.slice(0, 4)}/${each.slice(5)}`),
      part('a comma', index, (each) => `${each},`),
      part('a character that is left over', index, (each) => each + 'A'.repeat(5 - (each.length % 4))),
      part('a no-break space', index, (each) => `${each}\u00a0${'A'.repeat(4)}`),
      part('full-width letters', index, (each) => inUtf8(`\uff21${each.slice(1)}`)),
      part('a soft hyphen', index, (each) => `${each.slice(0, 4)}\u00ad${each.slice(4)}`),
      part('an invisible joiner', index, (each) => inUtf8(`${each.slice(0, 4)}\u200d${each.slice(4)}`)),
      part('a quoted letter', index, (each) => `"${each}"`),
      part('percent-encoding', index, (each) => `%41${each.slice(1)}`),
      part('a byte that is no UTF-8', index, (each) => `${each}\u00ff`),
    ]),
    ...([1, 2] as const).map((index) => part('a space in front', index, (each) => ` ${each}`)),
    part('a tab in front', 0, (each) => `\t${each}`),
    ...respelled(signer),
    form('two parts', (good) => partsOf(good).slice(0, 2).join('.')),
    form('one part', (good) => partsOf(good).slice(0, 1).join('')),
    form('four parts', (good) => `${good}.${base64url('x')}`),
    form('four parts, the last one empty', (good) => `${good}.`),
    form('five parts, as an encrypted token has', (good) => `${good}.AAAA.AAAA`),
    form('a hundred parts', (good) => `${good}.${'AAAA.'.repeat(97)}`),
    form('a dot in front', (good) => `.${good}`),
    form('two dots', (good) => good.replace('.', '..')),
    form('only dots', () => '..'),
    form('encoded dots', (good) => good.replaceAll('.', '%2E')),
    form('full-width dots', (good) => inUtf8(good.replaceAll('.', '\uff0e'))),
    form('colons for dots', (good) => good.replaceAll('.', ':')),
    form('the flattened JSON form', (good) => {
      const [header, payload, signature] = partsOf(good)
      return JSON.stringify({ protected: header, payload, signature })
    }),
    form('the general JSON form', (good) => {
      const [header, payload, signature] = partsOf(good)
      return JSON.stringify({ payload, signatures: [{ protected: header, signature }] })
    }),
    form('a token encoded as a whole', (good) => base64url(good)),
    form('a detached payload', (good) => good.replace(/\.[^.]*\./, '..')),
    form('two tokens', (good) => `${good}, ${craft(signer)}`),
    form('two tokens, each with its scheme', (good) => `${good}, Bearer ${craft(signer)}`),
    form('a URL', () => 'https://app.example/token'),
    form('null', () => 'null'),
    form('undefined', () => 'undefined'),
    form('[object Object]', () => '[object Object]'),
    forged('the scheme twice', 'not_canonical', (good) => `Bearer ${good}`),
    forged('in quotes', 'not_canonical', (good) => `"${good}"`),
    forged('in angle brackets', 'not_canonical', (good) => `<${good}>`),
    forged('with a parameter behind', 'not_canonical', (good) => `${good}; charset=utf-8`),
    forged('with another scheme behind', 'not_canonical', (good) => `${good}, Basic YTpi`),
    forged('with a fragment', 'not_canonical', (good) => `${good}#`),
    forged('in lower case', 'not_canonical|header_unreadable', (good) => good.toLowerCase()),
    forged('backwards', 'not_canonical|header_unreadable', (good) => [...good].toReversed().join('')),
    forged('parts in another order', 'not_canonical|header_unreadable', (good) =>
      partsOf(good).toReversed().join('.'),
    ),
    forged('8 kB and a character, well signed', 'too_long', () => ofLength(signer, 8193)),
    forged('12 kB, well signed', 'too_long', () => ofLength(signer, 12_000)),
    forged('12 kB of dots', 'too_long', () => '.'.repeat(12_000)),
    forged('8 kB of nothing', 'not_a_jwt', () => 'x'.repeat(8192)),
    sent('20 kB, more than any head may have', undefined, (good) => [
      `Authorization: Bearer ${good}.${'x'.repeat(20_000)}`,
    ]),
  ]
}

/** Of the last character of a part some bits may be unused: turning one gives another text for the same bytes. */
function respelled(signer: Signer): Attack[] {
  return ([0, 1, 2] as const)
    .filter((index) => index < 2 || partsOf(craft(signer))[2].length % 4 !== 0)
    .map((index) =>
      forged(`unused bits in part ${index + 1}`, 'not_canonical', () => {
        const texts = partsOf(unevenToken(signer))
        const text = texts[index]
        texts[index] = text.slice(0, -1) + alphabet.charAt(alphabet.indexOf(text.slice(-1)) ^ 1)
        return texts.join('.')
      }),
    )
}

/** A good token whose header and payload both end in unused bits. */
function unevenToken(signer: Signer): string {
  for (let n = 0; n < 9; n += 1) {
    const pad = { x: 'x'.repeat(n) }
    const token = craft(signer, { header: pad, claims: { ...pad, jti: 1, sub: 'ann' } })
    const [header, payload] = partsOf(token)
    if (header.length % 4 !== 0 && payload.length % 4 !== 0) return token
  }
  throw new Error('no such token')
}

/** A good token but for its length, which is this or up to two characters more. */
function ofLength(signer: Signer, length: number): string {
  const padded = (bytes: number) => craft(signer, { claims: { pad: 'x'.repeat(bytes) } })
  for (let bytes = Math.floor((length - padded(0).length) * 0.75) - 3; ; bytes += 1) {
    const token = padded(bytes)
    if (token.length >= length) return token
  }
}

/** Header lines are sent byte for byte, as Latin-1. */
function inUtf8(text: string): string {
  return Buffer.from(text).toString('latin1')
}
