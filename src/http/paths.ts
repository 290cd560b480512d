import { AppError } from '../errors.ts'
import { problem } from './answer/problem.ts'
import { respond } from './answer/respond.ts'
import type { Surface } from './docs/openapi.ts'
import type { Context } from './request/context.ts'

/**
 * Answers requests that no route took:
 * - 405 with `Allow` where the path exists with other methods
 * - 204 with `Allow` to OPTIONS there
 * - 404 otherwise
 *
 * The router was made from the same lists of paths.
 */
export function unmatched(surface: Surface): (c: Context) => Response {
  const methodsOf = allowedMethods(surface)
  return (c) => {
    const methods = methodsOf(c.req.path)
    if (methods === undefined) return problem(c, new AppError('not_found', 'There is nothing at this path.'))
    const allow = methods.join(', ')
    if (c.req.method === 'OPTIONS') return respond(c, 204, null, { allow })
    return problem(c, new AppError('method_not_allowed', `This path takes ${allow}.`, { headers: { allow } }))
  }
}

function allowedMethods({
  operations,
  openRoutes,
  basePath,
}: Surface): (path: string) => string[] | undefined {
  const byTemplate = new Map<string, string[]>()
  const add = (path: string, method: string) => {
    const methods = byTemplate.get(path) ?? []
    methods.push(...(method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()]))
    byTemplate.set(path, methods)
  }
  for (const { path, method } of operations) add(basePath + path, method)
  for (const { path } of openRoutes) add(path, 'get')
  // A request's path has lost one trailing slash already, as it has for the router.
  const known = [...byTemplate].map(([template, methods]) => ({
    pattern: new RegExp(`^${template.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
    methods,
  }))
  return (path) => known.find(({ pattern }) => pattern.test(path))?.methods
}
