import { isObject } from './json-object.ts'

const longestDocumentBytes = 256 * 1024

/** The reasons why a key set could not be read, each with a remedy, for the log and `docket doctor`. */
export const keySetAdvice = {
  unreachable:
    'The address gave no answer. Check its scheme, host and port, and that the sign-in server runs.',
  timeout: 'The answer took too long. Check the sign-in server and the network between.',
  redirect: 'The address redirects, which is not followed. Set AUTH_JWKS_URL to the final address.',
  not_found: 'The address answers 404. Check the path, and that the Better Auth server has the jwt plugin.',
  bad_status: 'The address answers with an error status. Check the log of the sign-in server.',
  not_json: 'The answer is not JSON but perhaps a web page. Set AUTH_JWKS_URL to the key set itself.',
  too_large: 'The answer is over 256 kB, more than any key set. Check AUTH_JWKS_URL.',
  unreadable: 'The answer is no JWK set: an object with an array called keys. Check AUTH_JWKS_URL.',
  no_usable_key: 'The set holds no key that can be used. Sign in once, so that Better Auth makes one.',
} as const satisfies Record<string, string>

export type KeySetFaultReason = keyof typeof keySetAdvice

/** A key set that could not be read. Its message is the advice. */
export class KeySetFault extends Error {
  readonly reason: KeySetFaultReason

  constructor(reason: KeySetFaultReason, cause?: unknown) {
    super(keySetAdvice[reason], { cause })
    this.name = 'KeySetFault'
    this.reason = reason
  }
}

/**
 * The members of a JWK set. The response must be 200, JSON by its type, and at most 256 kB, counted while it is read.
 * The keys themselves are not checked. Throws `KeySetFault`, or the error of the body's stream.
 */
export async function readKeyDocument(response: Response): Promise<readonly unknown[]> {
  try {
    checkHead(response)
    return parseDocument(await readBody(response))
  } catch (error) {
    // An unread body would keep its connection. Cancelling a failed body rejects with that failure.
    if (response.body !== null && !response.body.locked) await response.body.cancel().catch(() => undefined)
    throw error
  }
}

function checkHead({ status, type, headers }: Response): void {
  if (type === 'opaqueredirect' || (status >= 300 && status < 400)) throw new KeySetFault('redirect')
  if (status === 404) throw new KeySetFault('not_found')
  if (status !== 200) throw new KeySetFault('bad_status')
  const mediaType = headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (mediaType !== 'application/json' && mediaType !== 'application/jwk-set+json')
    throw new KeySetFault('not_json')
}

async function readBody(response: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  // Leaving the loop early cancels the stream.
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > longestDocumentBytes) throw new KeySetFault('too_large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function parseDocument(bytes: Uint8Array): readonly unknown[] {
  let document: unknown
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    // The parser's own message quotes the response, which must not reach the log.
    throw new KeySetFault('unreadable')
  }
  if (!isObject(document) || !Array.isArray(document.keys)) throw new KeySetFault('unreadable')
  return document.keys
}
