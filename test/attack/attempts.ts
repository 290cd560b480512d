import { expectDocumented } from '../support/documented-api.ts'
import { operations, pathOf } from '../support/openapi-operations.ts'
import type { RawAnswer, RawConnection } from '../support/raw-connection.ts'
import { type Attack, refusals } from './attack.ts'
import { craft, type Signer } from './signer.ts'

export type Attempt = { readonly attack: Attack; readonly signer: Signer }

const behindToken = operations.filter(({ security }) => security.length > 0)
const missing = '00000000-0000-4000-8000-000000000000'
let serial = 0

/**
 * Makes attempts over one connection, each twice with a good request of the same signer between, and holds what comes
 * back against what is listed. `bodies` has the one text there may be for each kind of refusal. Returns what is wrong.
 */
export async function make(
  attempts: readonly Attempt[],
  { wire, bodies, logged }: { wire: RawConnection; bodies: Map<string, string>; logged: () => string },
): Promise<string[]> {
  const faults: string[] = []
  const expected = new Map<string, Attack>()
  const sent = new Set<string>()
  const linesBefore = logged().length
  for (const { attack, signer } of attempts) {
    const good = craft(signer)
    const fault = (what: string) => faults.push(`${signer.alg}: ${attack.name.slice(0, 80)}: ${what}`)
    const lines = attack.lines(good)
    for (const text of lines.join(' ').match(/[\w-]{24,}/g) ?? []) sent.add(text)

    for (const round of ['at first', 'again']) {
      serial += 1
      const id = `attempt-${String(serial).padStart(6, '0')}`
      expected.set(id, attack)
      const { method, target, request } = requestOf(attack, { good, lines, id })
      const answer = await wire.exchange(request)
      for (const what of faultsOf(attack, answer)) fault(`${what} ${round}`)
      if (answer.status < 500) expectDocumented(method, target, answer)
      // The parser says whether it was the form or the size; a caller may be told that.
      const kind =
        attack.code === 'malformed_request' ? `${attack.reason} ${request.length > 16_384}` : attack.code
      const text = withoutIds(answer, id)
      if (bodies.get(kind) === undefined) bodies.set(kind, text)
      if (bodies.get(kind) !== text) fault(`not the bytes of every ${kind}: ${text}`)
      if (round === 'at first' && !(await isServed(wire, good))) fault('a good request behind it failed')
    }
  }
  const log = logged().slice(linesBefore)
  for (const text of sent) if (log.includes(text)) faults.push(`the log repeats ${text}`)
  return [...faults, ...wrongReasons(log, expected)]
}

/** True when the caller of this token is served as who they are. */
export async function isServed(wire: RawConnection, token: string, authorization = 'Authorization: Bearer') {
  const answer = await wire.exchange(
    `GET /api/v1/me HTTP/1.1\r\nHost: a\r\n${authorization} ${token}\r\n\r\n`,
  )
  const { sub } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  return answer.status === 200 && answer.json().id === sub
}

function requestOf(
  attack: Attack,
  { good, lines, id }: { good: string; lines: readonly string[]; id: string },
) {
  const operation = behindToken[serial % behindToken.length]
  if (operation === undefined) throw new Error('no operation needs a token')
  const method = attack.method ?? operation.method
  const target = attack.target?.(good) ?? pathOf(operation, missing)
  const body = attack.body?.(good) ?? ''
  const head = [`${method} ${target} HTTP/1.1`, 'Host: a', `X-Request-Id: ${id}`, ...lines]
  const request = [...head, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join('\r\n')
  return { method, target, request }
}

function faultsOf({ code }: Attack, answer: RawAnswer): string[] {
  const { status, challenge } = refusals[code]
  if (answer.status !== status) return [`${answer.status}, not ${status}`]
  const challenged = answer.headers.get('www-authenticate')
  return [
    ...(answer.json().code === code ? [] : [`${answer.json().code}, not ${code}`]),
    ...(challenged === challenge ? [] : [`challenge ${challenged}`]),
    ...(Buffer.byteLength(answer.raw) < 1000 ? [] : ['over 1 kB']),
  ]
}

function withoutIds({ raw, headers }: RawAnswer, id: string): string {
  const theirs = headers.get('x-request-id') ?? id
  return raw
    .replaceAll(id, '…')
    .replaceAll(theirs, '…')
    .replace(/^date: .*\r\n/im, '')
}

function wrongReasons(log: string, expected: ReadonlyMap<string, Attack>): string[] {
  const lines = log.split('\n').filter((line) => line.includes('"event":"request"'))
  const reasons = new Map(
    lines.map((line): [unknown, unknown] => {
      const { request_id, reason }: Record<string, unknown> = JSON.parse(line)
      return [request_id, reason]
    }),
  )
  return [...expected].flatMap(([id, { name, reason }]) => {
    const logged = reasons.get(id)
    const fits = reason === undefined ? logged === undefined : reason.split('|').includes(String(logged))
    return fits ? [] : [`${name}: ${logged} in the log, not ${reason}`]
  })
}
