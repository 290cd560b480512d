import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { createInterface } from 'node:readline'
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

const flood = `
  const { log, flush } = await (await import('./src/log.ts')).createLog('info')
  const line = { event: 'stopped', filler: 'x'.repeat(1000) }
  const before = process.memoryUsage().rss
  for (let n = 0; n < 150; n++) {
    for (let i = 0; i < 1000; i++) log.info(line, 'stopped')
    await new Promise(setImmediate)
  }
  process.stderr.write(String(process.memoryUsage().rss - before))
  await new Promise((resolve) => process.stdin.once('data', resolve))
  log.info({ event: 'stopped', last: true }, 'stopped')
  flush()
  process.exit()`

test('a reader that stops reading holds up nobody and costs a bounded amount of memory; what it missed is counted', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', flood], { stdio: 'pipe' })
  const [grown] = await once(child.stderr.setEncoding('utf8'), 'data')
  // 150 MB of lines were written, and nobody has read one.
  expect(Number(grown)).toBeLessThan(120e6)
  const lines = createInterface({ input: child.stdout })
  let whole = 0
  let missing = 0
  let last = false
  lines.on('line', (text) => {
    const line = JSON.parse(text)
    if (line.event === 'log_dropped') missing += line.lines
    else if (line.last) last = true
    else whole++
    if (line.event === 'log_dropped') child.stdin.write('go')
  })
  await once(lines, 'close')
  expect(last).toBe(true)
  expect(missing).toBeGreaterThan(100_000)
  expect(whole + missing).toBe(150_000)
})

test('a log that cannot be written costs its lines, not the service: it goes on, and ends when it is told to', async () => {
  const program = `
    const { log, flush } = await (await import('./src/log.ts')).createLog('info')
    const line = { event: 'stopped', filler: 'x'.repeat(1000) }
    for (let n = 0; n < 100; n++) log.info(line, 'stopped')
    await new Promise((resolve) => setTimeout(resolve, 300))
    log.fatal(line, 'stopped')
    flush()
    process.stderr.write('went on')
    process.exit(3)`
  const full = openSync('/dev/full', 'w')
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', full, 'pipe'],
  })
  const [said] = await once(child.stderr?.setEncoding('utf8') ?? child, 'data')
  expect(said).toBe('went on')
  expect((await once(child, 'exit'))[0]).toBe(3)
  closeSync(full)
})
