import { expect, test } from 'vitest'
import { unreachable } from '../../src/database/unreachable.ts'

test('a failure nobody foresaw is told by its code, with what to check and no part of the URL', () => {
  const cause = Object.assign(new Error('at ann:word@db.internal'), { code: 'XX999' })
  expect(unreachable(cause, 'DATABASE_URL')).toMatchObject({
    exitCode: 69,
    message:
      'DATABASE_URL cannot be used: the connection failed (XX999): ' +
      'check the host, the port, the user and the parameters of the URL.',
  })
})
