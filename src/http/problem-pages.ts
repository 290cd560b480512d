import { z } from '../api/schema.ts'
import { AppError, errorCodes } from '../errors.ts'
import type { OpenRoute } from './open-route.ts'
import { problemKinds, problemType } from './problem.ts'
import { respond } from './respond.ts'

/** `GET /problems/{kind}`: what the `type` of a problem points at; its `code` leads there too. */
export const problemPages: OpenRoute = {
  id: 'getProblemKind',
  path: '/problems/{kind}',
  summary: 'What a kind of problem means',
  params: z.object({ kind: z.string().openapi({ example: 'validation-failed' }) }),
  responses: { 200: { description: 'In words', content: { 'text/plain': { schema: z.string() } } } },
  failures: ['not_found'],
  handle: (c) => {
    const kind = c.req.param('kind')
    const code = errorCodes.find((each) => each === kind || problemType(each) === `/problems/${kind}`)
    if (code === undefined) throw new AppError('not_found', 'There is no such kind of problem.')
    const { status, title, when } = problemKinds[code]
    return respond(c, 200, `${status} ${title} (${code})\n\n${when}\n`, {
      'content-type': 'text/plain; charset=utf-8',
    })
  },
}
