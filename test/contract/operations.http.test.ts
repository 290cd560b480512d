import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeApi } from '../../src/app.ts'
import type { Caller, TestApi } from '../support/api.ts'
import { startDocumentedApi } from '../support/documented-api.ts'
import { mismatches } from '../support/json-schema.ts'
import {
  bodyOf,
  collectionOf,
  type DocumentedOperation,
  methodsByPath,
  operations,
  pathOf,
  schemas,
} from '../support/openapi-operations.ts'
import { testedOperations } from '../support/tested-operations.ts'

let api: TestApi
let ann: Caller
beforeAll(async () => {
  api = await startDocumentedApi()
  ann = await api.newOwner()
})
afterAll(() => api.close())

const named = operations.map((operation) => ({ ...operation, name: `${operation.method} ${operation.path}` }))
const behindToken = named.filter(({ security }) => security.length > 0)
const open = named.filter(({ security }) => security.length === 0)
const withBody = named.filter((operation) => bodyOf(operation) !== undefined)
const bearer = () => ({ authorization: `Bearer ${ann.token}` })

test('the document that is served is the one in the repository and the one the code makes', async () => {
  const served = await api.call('/openapi.json')
  const file = readFileSync(new URL('../../openapi.json', import.meta.url), 'utf8')
  expect(served.json()).toEqual(describeApi(testedOperations))
  expect(JSON.parse(file)).toEqual(describeApi())
})

test('the document has the operations of the contract, and only the named ones need no token', () => {
  expect(named.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      'GET /api/v1/tasks',
      'POST /api/v1/tasks',
      'GET /api/v1/tasks/{id}',
      'PUT /api/v1/tasks/{id}',
      'PATCH /api/v1/tasks/{id}',
      'DELETE /api/v1/tasks/{id}',
      'GET /api/v1/me',
    ]),
  )
  const paths = ['/livez', '/readyz', '/health', '/problems/{kind}', '/openapi.json', '/docs', '/']
  expect(open.map(({ path }) => path)).toEqual(paths)
})

test('no operation tells a failure twice', () => {
  expect(JSON.stringify(describeApi())).not.toMatch(/`(\w+)`: [^"]*`\1`: /)
})

test('the document takes exactly the titles and descriptions that the server takes', async () => {
  const texts = ['x', ' x ', 'a\nb', '\u00e9', '\u{1f600}', '\u0001', '\ufeffx', '\u2028x\u2028']
  const blank = ['', ' ', '\t\n', '\u00a0', '\u3000', '\ufeff', '\u2028']
  const withNul = ['\0', '\0x', 'x\0', 'a\0b', ' \0 ', '\n\0']
  for (const value of [...texts, ...blank, ...withNul])
    for (const body of [{ title: value }, { title: 'x', description: value }]) {
      const { status } = await ann.call('/tasks', { body })
      const isDocumented = mismatches({ $ref: '#/components/schemas/NewTask' }, body, schemas).length === 0
      expect(isDocumented, JSON.stringify(body)).toBe(status === 201)
      const isPatch = mismatches({ $ref: '#/components/schemas/TaskPatch' }, body, schemas).length === 0
      expect(isPatch, JSON.stringify(body)).toBe(status === 201)
    }
})

/** The id of a resource that the operation's path can name. */
async function idFor(operation: DocumentedOperation): Promise<string> {
  const creation = named.find(({ method, path }) => method === 'POST' && path === collectionOf(operation))
  if (creation === undefined) return randomUUID()
  const made = await api.call(creation.path, { method: 'POST', headers: bearer(), body: bodyOf(creation) })
  return String(made.json().id)
}

describe('with no more than the document says', () => {
  test.each(named)('$name succeeds', async (operation) => {
    const id = await idFor(operation)
    const answer = await api.call(pathOf(operation, id), {
      method: operation.method,
      headers: operation.security.length > 0 ? bearer() : {},
      body: bodyOf(operation),
    })
    expect(answer.status).toBeLessThan(300)
  })
})

describe('without a token', () => {
  test.each(behindToken)('$name is 401 before anything else is looked at', async (operation) => {
    for (const id of [randomUUID(), 'malformed']) {
      const body = bodyOf(operation) && '{'
      const answer = await api.call(pathOf(operation, id), { method: operation.method, body })
      expect(answer.status).toBe(401)
      expect(answer.json().code).toBe('unauthenticated')
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer realm="[^"]+"$/)
    }
  })
})

describe('an unknown key in the body', () => {
  test.each(withBody)('of $name is 422 and named', async (operation) => {
    const answer = await api.call(pathOf(operation, randomUUID()), {
      method: operation.method,
      headers: bearer(),
      body: { ...bodyOf(operation), no_such_key: 1, nor_this: null },
    })
    expect(answer.status).toBe(422)
    expect(answer.json().errors).toMatchObject([
      { in: 'body', path: '/no_such_key', code: 'unknown_field' },
      { in: 'body', path: '/nor_this', code: 'unknown_field' },
    ])
  })
})

describe('an unknown query parameter', () => {
  test.each(behindToken)('of $name is 422 and named, with the known ones', async (operation) => {
    const known = operation.parameters.filter((each) => each.in === 'query').map(({ name }) => name)
    const answer = await api.call(`${pathOf(operation, randomUUID())}?no_such_parameter=1`, {
      method: operation.method,
      headers: bearer(),
      body: bodyOf(operation),
    })
    expect(answer.status).toBe(422)
    expect(answer.json().errors).toMatchObject([
      { in: 'query', path: '/no_such_parameter', code: 'unknown_parameter' },
    ])
    for (const name of known) expect(answer.json().detail).toContain(name)
  })
})

describe('a body that is not as the operation wants it', () => {
  test.each(withBody)('is 400, 413 or 415 for $name', async (operation) => {
    const send = (body: unknown, headers = {}) =>
      api.call(pathOf(operation, randomUUID()), {
        method: operation.method,
        headers: { ...bearer(), ...headers },
        body,
      })
    expect((await send('{"')).status).toBe(400)
    expect((await send(' '.repeat(256_001))).status).toBe(413)
    expect((await send('{}', { 'content-type': 'text/plain' })).status).toBe(415)
  })
})

describe('a method that a path does not have', () => {
  test.each([...methodsByPath].map(([path, methods]) => ({ path, methods })))(
    'is 405 with Allow at $path',
    async ({ path, methods }) => {
      const operation = named.find((each) => each.path === path)
      if (operation === undefined) throw new Error('a path without an operation')
      const others = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND'].filter(
        (method) => !methods.includes(method),
      )
      for (const method of others) {
        const answer = await api.call(pathOf(operation, randomUUID()), { method, headers: bearer() })
        expect(answer.status).toBe(405)
        expect(answer.headers.get('allow')?.split(', ').toSorted()).toEqual(methods.toSorted())
        if (method !== 'HEAD') expect(answer.json().code).toBe('method_not_allowed')
      }
    },
  )
})

describe('a broken URL', () => {
  test.each(named)('is 400 for $name', async (operation) => {
    const answer = await api.call(`${pathOf(operation, randomUUID())}?x=%zz`, {
      method: operation.method,
      headers: bearer(),
    })
    expect(answer.status).toBe(400)
    expect(answer.json().code).toBe('malformed_request')
  })
})
