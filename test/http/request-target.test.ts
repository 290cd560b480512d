import { expect, test } from 'vitest'
import { targetFault } from '../../src/http/gate/request-target.ts'

test.each([
  '/',
  '/livez',
  '/api/v1/tasks/',
  '//api/v1/tasks',
  '/api/v1/tasks?skip=1&limit=2',
  '/api/v1/t%61sks',
  '/api/v1/tasks/%0a',
  '/api/v1/tasks/%25',
  '/api/v1/tasks/%252e%252e',
  '/api/v1/tasks/a.b',
  '/api/v1/tasks/...',
  '/api/v1/tasks/.hidden',
  '/caf%C3%A9',
  '/x?path=/../%2e%2e%2f%00%5c',
  '/x?',
])('%s is a path that all read alike', (target) => {
  expect(targetFault(target)).toBeUndefined()
})

test.each([
  ['target_form', ''],
  ['target_form', '*'],
  ['target_form', 'http://x/livez'],
  ['target_form', 'HTTPS://x/livez'],
  ['target_form', 'ftp://x/livez'],
  ['target_form', 'x:443'],
  ['target_form', 'livez'],
  ['target_form', '/livez#x'],
  ['target_encoding', '/%'],
  ['target_encoding', '/%4'],
  ['target_encoding', '/%zz'],
  ['target_encoding', '/%u0041'],
  ['target_encoding', '/%ff'],
  ['target_encoding', '/%c0%ae'],
  ['target_encoding', '/%e0%80%af'],
  ['target_encoding', '/%ed%a0%80'],
  ['target_encoding', '/%f5%80%80%80'],
  ['target_encoding', '/x?limit=%'],
  ['target_encoding', '/x?limit=%ff'],
  ['target_hidden', '/%00'],
  ['target_hidden', '/api/v1/%2e%2e/me'],
  ['target_hidden', '/api/v1/%2E./me'],
  ['target_hidden', '/api%2fv1/me'],
  ['target_hidden', '/api%2Fv1/me'],
  ['target_hidden', '/api%5cv1/me'],
  ['target_hidden', '/api%5Cv1/me'],
  ['target_dots', '/.'],
  ['target_dots', '/..'],
  ['target_dots', '/./livez'],
  ['target_dots', '/api/v1/../v1/me'],
  ['target_dots', '/api/v1/tasks/..'],
  ['target_dots', '/api/v1/tasks/..?x'],
])('%s: %s', (fault, target) => {
  expect(targetFault(target)).toBe(fault)
})
