import type { OpenAPIHono } from '@hono/zod-openapi'
import { AppError } from '../errors.ts'
import type { Context, Env } from './context.ts'
import { problem } from './problem.ts'
import { respond } from './respond.ts'

/**
 * Answers what no operation took: 405 with `Allow` where the path exists with other methods, 204 with `Allow` to
 * OPTIONS there, else 404. What exists is read from the document of the operations, so none can be forgotten.
 */
export function unmatched(app: OpenAPIHono<Env>): (c: Context) => Response {
  // At the first request: operations may be added after this handler.
  let methodsOf: ReturnType<typeof allowedMethods> | undefined
  return (c) => {
    methodsOf ??= allowedMethods(app)
    const methods = methodsOf(c.req.path)
    if (methods === undefined) return problem(c, new AppError('not_found', 'There is nothing at this path.'))
    const allow = methods.join(', ')
    if (c.req.method === 'OPTIONS') return respond(c, 204, null, { allow })
    return problem(c, new AppError('method_not_allowed', `This path takes ${allow}.`, { headers: { allow } }))
  }
}

function allowedMethods(app: OpenAPIHono<Env>): (path: string) => string[] | undefined {
  const byTemplate = new Map<string, string[]>()
  for (const definition of app.openAPIRegistry.definitions) {
    if (definition.type !== 'route') continue
    const { path, method } = definition.route
    const methods = byTemplate.get(path) ?? []
    methods.push(...(method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()]))
    byTemplate.set(path, methods)
  }
  // One trailing slash is already gone from a request's path, as it is for the router.
  const known = [...byTemplate].map(([template, methods]) => ({
    pattern: new RegExp(`^${template.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
    methods,
  }))
  return (path) => known.find(({ pattern }) => pattern.test(path))?.methods
}
