import { Hono } from 'hono'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { AppError, errorCodes } from '../../src/errors.ts'
import { problem, problemKinds } from '../../src/http/answer/problem.ts'
import { requestLog } from '../../src/http/gate/request-log.ts'
import type { Env } from '../../src/http/request/context.ts'

/** What a handler that throws `error` answers. */
async function answerTo(error: unknown): Promise<Response> {
  const app = new Hono<Env>()
  app.use(requestLog(pino({ level: 'silent' })))
  app.get('/', () => {
    throw error
  })
  app.onError((thrown, c) => problem(c, thrown))
  return app.fetch(new Request('http://localhost/', { headers: { 'x-request-id': 'same' } }), {})
}

test('whatever went wrong inside, an answer of 500 is the same bytes', async () => {
  const causes = [
    new Error('password=hunter2'),
    new TypeError('x is not a function'),
    new AppError('internal', 'the table docket.tasks is missing'),
    new AppError('internal', 'other', { cause: new Error('hunter2') }),
  ]
  const answers = await Promise.all(causes.map(answerTo))
  const bodies = await Promise.all(answers.map((answer) => answer.text()))
  expect(new Set(bodies).size).toBe(1)
  expect(answers.map(({ status }) => status)).toEqual([500, 500, 500, 500])
  expect(bodies[0]).not.toMatch(/hunter2|docket\.tasks|function/)
})

test.each(errorCodes)('%s is a problem whose type, title, status and code belong together', async (code) => {
  const answer = await answerTo(new AppError(code, 'A sentence.'))
  const { status, title } = problemKinds[code]
  expect(answer.status).toBe(status)
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  expect(await answer.json()).toMatchObject({
    type: `/problems/${code.replaceAll('_', '-')}`,
    title,
    status,
    code,
    request_id: 'same',
  })
})
