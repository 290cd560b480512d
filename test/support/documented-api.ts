import { expect } from 'vitest'
import { z } from 'zod'
import { Problem, problemKinds, problemType } from '../../src/http/answer/problem.ts'
import { type Answer, type Call, type Caller, startApi, type TestApi } from './api.ts'
import { mismatches } from './json-schema.ts'
import { type DocumentedOperation, methodsByPath, operations, schemas } from './openapi-operations.ts'

/**
 * The API of `startApi`, every answer of which is held against the OpenAPI document: a status, media type, header or
 * property that is not documented fails the test that met it.
 */
export async function startDocumentedApi(...given: Parameters<typeof startApi>): Promise<TestApi> {
  const api = await startApi(...given)
  const checked = async (path: string, call: Call, answer: Promise<Answer>) => {
    const received = await answer
    expectDocumented(call.method ?? (call.body === undefined ? 'GET' : 'POST'), path, received)
    return received
  }
  return {
    ...api,
    call: (path, call = {}) => checked(path, call, api.call(path, call)),
    newOwner: async (claims): Promise<Caller> => {
      const caller = await api.newOwner(claims)
      return {
        ...caller,
        call: (path, call = {}) => checked(`/api/v1${path}`, call, caller.call(path, call)),
      }
    },
  }
}

/** Fails unless the answer is one that the contract and the document allow for this method and path. */
export function expectDocumented(method: string, target: string, answer: Answer): void {
  const where = `${answer.status} of ${method} ${target}`
  const { headers, text, status } = answer
  expect(headers.get('x-request-id'), where).toMatch(/^[\x21-\x7e]{1,128}$/)
  expect(headers.get('x-content-type-options'), where).toBe('nosniff')
  expect(headers.get('cache-control'), where).toBe('no-store')
  expect(headers.has('content-type') || text === '', where).toBe(true)
  if (headers.get('content-type') === 'application/problem+json' && text !== '') expectProblem(answer, where)

  const path = target
    .replace(/\?.*/s, '')
    .replaceAll(/%[2-7][0-9a-f]/gi, decodeURIComponent)
    .replace(/(?<=.)\/$/, '')
  const template = [...methodsByPath.keys()].find((each) => patternOf(each).test(path))
  const taken = operations.find(
    (each) => each.path === template && each.method === (method === 'HEAD' ? 'GET' : method),
  )
  if (template === undefined) expect([204, 400, 401, 404], where).toContain(status)
  else if (taken === undefined) expect([204, 400, 401, 405], where).toContain(status)
  else expectResponse(taken, answer, { where, bodiless: method === 'HEAD' })
}

function expectResponse(
  { responses }: DocumentedOperation,
  answer: Answer,
  { where, bodiless }: { where: string; bodiless: boolean },
): void {
  const response = responses[answer.status]
  if (response === undefined) throw new Error(`${where} is not documented`)
  for (const [name, { required }] of Object.entries(response.headers))
    if (required) expect(answer.headers.has(name), `${name} in ${where}`).toBe(true)
  if (bodiless || response.content === undefined) expect(answer.text, where).toBe('')
  if (response.content === undefined) return
  const type = answer.headers.get('content-type')?.replace(/;.*/, '') ?? ''
  const content = response.content[type]
  if (content === undefined) throw new Error(`${type} in ${where} is not documented`)
  const value = type.endsWith('json') && !bodiless ? answer.json() : answer.text
  if (!bodiless) expect(mismatches(content.schema, value, schemas), where).toEqual([])
}

const StrictProblem = z.strictObject(Problem.shape)

/** Fails unless the answer is a problem whose body says what its status line and headers say. */
export function expectProblem(answer: Answer, where: string): void {
  const body = StrictProblem.parse(answer.json())
  const kind = problemKinds[body.code]
  expect(body.status, where).toBe(answer.status)
  expect(body, where).toMatchObject({ status: kind.status, title: kind.title, type: problemType(body.code) })
  expect(body.request_id, where).toBe(answer.headers.get('x-request-id'))
  expect(body.detail, where).toMatch(/^\S.{9,}/)
  expect(body.errors === undefined, where).toBe(body.code !== 'validation_failed')
  if (body.code === 'unavailable') expect(answer.headers.get('retry-after'), where).toMatch(/^[1-9]\d*$/)
}

/** All that a caller can see of an answer but the time of day and the state of the connection. */
export function visible({ status, headers, text }: Answer) {
  const kept = [...headers].filter(([name]) => !['date', 'connection', 'keep-alive'].includes(name))
  return { status, headers: Object.fromEntries(kept), text }
}

function patternOf(template: string): RegExp {
  return new RegExp(`^${template.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`)
}
