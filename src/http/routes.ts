import type { Hono } from 'hono'
import type { Answer } from '../api/answer.ts'
import { checkInput, type Sent } from '../api/input.ts'
import type { Operation } from '../api/operation.ts'
import { respond, respondJson } from './answer/respond.ts'
import { readJson } from './request/body.ts'
import type { Context, Env } from './request/context.ts'

/** Adds the operations to the router, below the base path. */
export function addRoutes(app: Hono<Env>, operations: readonly Operation[], basePath: string): void {
  for (const operation of operations) {
    const path = `${basePath}${operation.path.replaceAll(/\{(\w+)\}/g, ':$1')}`
    app.on(operation.method, path, async (c) => {
      const input = checkInput(operation, await sentWith(c, operation))
      const call = { caller: c.get('principal'), ask: c.get('ask'), input }
      return answered(c, await operation.handle(call), basePath)
    })
  }
}

async function sentWith(c: Context, { schemas }: Operation): Promise<Sent> {
  const body = schemas.body === undefined ? undefined : await readJson(c)
  const queries = Object.entries(c.req.queries())
  return {
    body,
    params: c.req.param(),
    query: Object.fromEntries(
      queries.map(([name, values]) => [name, values.length === 1 ? (values[0] ?? '') : values]),
    ),
  }
}

function answered(c: Context, answer: Answer<unknown>, basePath: string): Response {
  if (answer.status === 204) return respond(c, 204, null)
  const { status, body, location, next } = answer
  if (location === undefined && next === undefined) return respondJson(c, status, body)
  return respondJson(c, status, body, {
    ...(location !== undefined && { location: basePath + location }),
    ...(next !== undefined && { link: `<${basePath}${next}>; rel="next"` }),
  })
}
