import { randomBytes } from 'node:crypto'
import { type Attack, forged, partsOf, withSignature } from './attack.ts'
import { craft, type Signer } from './signer.ts'

/** Orders of the groups whose numbers a signature is made of (FIPS 186-5, RFC 8032). */
export const orders: Readonly<Record<string, bigint>> = {
  ES256: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  ES512:
    0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
  EdDSA: 2n ** 252n + 27742317777372353535851937790883648493n,
}

/** Signatures that are empty, cut, longer, moved, spelled otherwise, or made from a good one. */
export function signatures(signer: Signer): Attack[] {
  const wrong = (name: string, change: (signature: Buffer) => Uint8Array) =>
    forged(`a signature ${name}`, 'signature_wrong', (good) => withSignature(good, change))
  const half = (bytes: Buffer) => bytes.length >> 1
  return [
    forged('an empty signature', 'not_a_jwt', (good) => good.replace(/[^.]*$/, '')),
    forged('the signature of another token', 'signature_wrong', (good) => {
      const [, , signature] = partsOf(craft(signer))
      return `${good.slice(0, good.lastIndexOf('.'))}.${signature}`
    }),
    forged('the payload of another token', 'signature_wrong', (good) => {
      const [header, , signature] = partsOf(good)
      return `${header}.${partsOf(craft(signer))[1]}.${signature}`
    }),
    forged('another header over the same signature', 'signature_wrong', (good) => {
      const [, payload, signature] = partsOf(good)
      return `${partsOf(craft(signer, { header: { x: 1 } }))[0]}.${payload}.${signature}`
    }),
    forged('a signature of the payload alone', 'signature_wrong', () =>
      craft(signer, { sign: (text) => signer.sign(text.split('.')[1] ?? '') }),
    ),
    forged('a signature of what is not encoded', 'signature_wrong', () =>
      craft(signer, {
        sign: (text) =>
          signer.sign(
            text
              .split('.')
              .map((part) => Buffer.from(part, 'base64url'))
              .join('.'),
          ),
      }),
    ),
    wrong('without its last byte', (bytes) => bytes.subarray(0, -1)),
    wrong('without its first byte', (bytes) => bytes.subarray(1)),
    wrong('of its first half', (bytes) => bytes.subarray(0, half(bytes))),
    wrong('of its first 16 bytes', (bytes) => bytes.subarray(0, 16)),
    wrong('of its first byte', (bytes) => bytes.subarray(0, 1)),
    wrong('with a zero behind', (bytes) => Buffer.concat([bytes, Buffer.alloc(1)])),
    wrong('with a zero in front', (bytes) => Buffer.concat([Buffer.alloc(1), bytes])),
    wrong('twice', (bytes) => Buffer.concat([bytes, bytes])),
    wrong('followed by 3 kB', (bytes) => Buffer.concat([bytes, Buffer.alloc(3000, 1)])),
    wrong('of zeros', (bytes) => Buffer.alloc(bytes.length)),
    wrong('of ones', (bytes) => Buffer.alloc(bytes.length, 0xff)),
    wrong('of chance', (bytes) => randomBytes(bytes.length)),
    wrong('backwards', (bytes) => bytes.toReversed()),
    wrong('with its halves swapped', (bytes) =>
      Buffer.concat([bytes.subarray(half(bytes)), bytes.subarray(0, half(bytes))]),
    ),
    wrong('with its first bit turned', (bytes) => bytes.with(0, (bytes[0] ?? 0) ^ 0x80)),
    wrong('with its last bit turned', (bytes) => bytes.with(-1, (bytes.at(-1) ?? 0) ^ 1)),
    wrong('as hex', (bytes) => Buffer.from(bytes.toString('hex'))),
    wrong('as base64url within base64url', (bytes) => Buffer.from(bytes.toString('base64url'))),
    wrong('as JSON', (bytes) => Buffer.from(JSON.stringify([...bytes]).slice(0, 2000))),
    wrong('wrapped as a DER octet string', (bytes) => Buffer.concat([lengthOf(4, bytes), bytes])),
    ...malleable(signer),
  ]
}

/** Second spellings of the numbers in a signature, and the numbers that make bad verifiers agree with anything. */
function malleable({ alg, publicKey }: Signer): Attack[] {
  const order = orders[alg]
  const wrong = (name: string, change: (signature: Buffer) => Uint8Array) =>
    forged(`a signature ${name}`, 'signature_wrong', (good) => withSignature(good, change))
  if (alg === 'EdDSA' && order !== undefined)
    return [
      wrong('with s + L for s', (bytes) =>
        Buffer.concat([bytes.subarray(0, 32), littleEndian(readLittle(bytes.subarray(32)) + order)]),
      ),
      wrong('with the neutral point and s = 0', () => Buffer.alloc(64).fill(1, 0, 1)),
      wrong('with the sign of R turned', (bytes) => bytes.with(31, (bytes[31] ?? 0) ^ 0x80)),
      wrong('with s = L', (bytes) => Buffer.concat([bytes.subarray(0, 32), littleEndian(order)])),
    ]
  if (order !== undefined) {
    const numbers = (name: string, change: (r: bigint, s: bigint) => [bigint, bigint]) =>
      wrong(name, (bytes) => {
        const width = bytes.length >> 1
        const [r, s] = change(readBig(bytes.subarray(0, width)), readBig(bytes.subarray(width)))
        return Buffer.concat([bigEndian(r, width), bigEndian(s, width)])
      })
    return [
      wrong('in DER, which is no JWS', derOf),
      wrong('in DER with the numbers exchanged', (bytes) => derOf(swapped(bytes))),
      numbers('with r = s = 0, the psychic one', () => [0n, 0n]),
      numbers('with r = 0', (_, s) => [0n, s]),
      numbers('with s = 0', (r) => [r, 0n]),
      numbers('with r = s = 1', () => [1n, 1n]),
      numbers('with r = s = n', () => [order, order]),
      numbers('with r = s = n - 1', () => [order - 1n, order - 1n]),
      numbers('with n - r for r', (r, s) => [order - r, s]),
      numbers('with n - r and n - s', (r, s) => [order - r, order - s]),
      numbers('with s + 1', (r, s) => [r, (s + 1n) % order]),
      wrong('of wider numbers', (bytes) => {
        const width = bytes.length >> 1
        const pad = Buffer.alloc(4)
        return Buffer.concat([pad, bytes.subarray(0, width), pad, bytes.subarray(width)])
      }),
    ]
  }
  const modulus = publicKey?.export({ format: 'jwk' }).n
  if (typeof modulus !== 'string') return []
  const n = readBig(Buffer.from(modulus, 'base64url'))
  return [
    wrong('with n + s for s', (bytes) => bigEndian(readBig(bytes) + n, 257)),
    wrong('with n - s for s', (bytes) => bigEndian(n - readBig(bytes), 256)),
    wrong('that is 1', () => bigEndian(1n, 256)),
    wrong('that is n - 1', () => bigEndian(n - 1n, 256)),
    wrong('that is n', () => bigEndian(n, 256)),
  ]
}

function derOf(bytes: Buffer): Buffer {
  const width = bytes.length >> 1
  const numbers = [bytes.subarray(0, width), bytes.subarray(width)].map((number) => {
    const first = number.findIndex((byte) => byte !== 0)
    const short = number.subarray(first)
    const whole = (short[0] ?? 0) > 127 ? Buffer.concat([Buffer.alloc(1), short]) : short
    return Buffer.concat([lengthOf(2, whole), whole])
  })
  const body = Buffer.concat(numbers)
  return Buffer.concat([lengthOf(0x30, body), body])
}

function swapped(bytes: Buffer): Buffer {
  const width = bytes.length >> 1
  return Buffer.concat([bytes.subarray(width), bytes.subarray(0, width)])
}

function lengthOf(tag: number, { length }: Uint8Array): Buffer {
  if (length < 128) return Buffer.from([tag, length])
  return length < 256 ? Buffer.from([tag, 0x81, length]) : Buffer.from([tag, 0x82, length >> 8, length & 255])
}

export function readBig(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
}

export function bigEndian(value: bigint, width: number): Buffer {
  return Buffer.from(value.toString(16).padStart(width * 2, '0'), 'hex')
}

const readLittle = (bytes: Uint8Array) => readBig(bytes.toReversed())
const littleEndian = (value: bigint) => bigEndian(value, 32).reverse()
