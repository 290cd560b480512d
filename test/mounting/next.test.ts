import { expect, test } from 'vitest'
import { toNextJsHandler } from '../../src/next.ts'

test('a route handler of Next.js exports all seven methods, OPTIONS among them', async () => {
  const handlers = toNextJsHandler({ fetch: async (request) => new Response(request.method) })
  const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'] as const
  expect(Object.keys(handlers)).toEqual(methods)
  for (const method of methods)
    expect(await (await handlers[method](new Request('http://app.test/', { method }))).text()).toBe(method)
})
