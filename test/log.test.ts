import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const program = `
  const { log, flush } = await (await import('./src/log.ts')).createLog('info')
  for (const n of [1, 2, 3]) log.info({ event: 'stopped', now: Date.now() }, 'stopped')
  const later = Date.now() + 3
  while (Date.now() < later);
  log.info({ event: 'stopped', now: Date.now() }, 'stopped')
  flush()`

test('a line tells when it was written, in UTC to the millisecond', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines).toHaveLength(4)
  for (const { time, now } of lines) {
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    expect(Math.abs(Date.parse(time) - now)).toBeLessThanOrEqual(1)
  }
})
