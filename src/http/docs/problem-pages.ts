import { z } from '../../api/schema.ts'
import { AppError, type ErrorCode, errorCodes } from '../../errors.ts'
import { problemKinds } from '../answer/problem.ts'
import { respond } from '../answer/respond.ts'
import type { OpenRoute } from './open-route.ts'

/** Both spellings of each code. A name is looked up, never rewritten: 15,000 hyphens cost no more than one. */
const codesByName: ReadonlyMap<string, ErrorCode> = new Map(
  errorCodes.flatMap((code) => [
    [code, code],
    [code.replaceAll('_', '-'), code],
  ]),
)

/** `GET /problems/{kind}`: the target of a problem's `type`. Its `code` works as the name too. */
export const problemPages: OpenRoute = {
  id: 'getProblemKind',
  path: '/problems/{kind}',
  summary: 'What a kind of problem means',
  params: z.object({ kind: z.string().openapi({ example: 'validation-failed' }) }),
  responses: { 200: { description: 'In words', content: { 'text/plain': { schema: z.string() } } } },
  failures: ['not_found'],
  handle: (c) => {
    const code = codesByName.get(c.req.param('kind') ?? '')
    if (code === undefined) throw new AppError('not_found', 'There is no such kind of problem.')
    const { status, title, when } = problemKinds[code]
    return respond(c, 200, `${status} ${title} (${code})\n\n${when}\n`, {
      'content-type': 'text/plain; charset=utf-8',
    })
  },
}
