import { expect, test } from 'vitest'
import { keepsNames } from '../../src/database/drivers/connection-url.ts'
import { driverFor, hasTcp, type Runtime } from '../../src/database/drivers/driver.ts'

const node = { versions: { node: '24.0.0' } }

test.each<[runtime: string, facts: Runtime, tcp: boolean]>([
  ['Node', { process: node, navigator: { userAgent: 'Node.js/24' } }, true],
  ['Bun', { process: node, navigator: { userAgent: 'Bun/1.3.0' } }, true],
  ['Deno', { process: node, navigator: { userAgent: 'Deno/2.5.0' } }, true],
  ['Vercel Edge', { EdgeRuntime: 'vercel' }, false],
  ['an edge runtime imitated on Node', { process: node, EdgeRuntime: 'edge-runtime' }, false],
  ['Cloudflare Workers', { navigator: { userAgent: 'Cloudflare-Workers' } }, false],
  [
    'Cloudflare Workers with nodejs_compat',
    { process: node, navigator: { userAgent: 'Cloudflare-Workers' } },
    false,
  ],
  ['a browser', { navigator: { userAgent: 'Mozilla/5.0' } }, false],
  ['a process without versions', { process: {} }, false],
])('%s: auto is TCP where it can be kept, else HTTP', (_runtime, facts, tcp) => {
  expect(hasTcp(facts)).toBe(tcp)
  expect(driverFor('auto', facts)).toBe(tcp ? 'postgres' : 'neon-http')
})

test('here auto is TCP, and what is chosen is used whatever the runtime', () => {
  expect(driverFor('auto')).toBe('postgres')
  for (const driver of ['postgres', 'neon-http', 'neon-ws'] as const)
    for (const facts of [{}, { process: node }]) expect(driverFor(driver, facts)).toBe(driver)
})

test.each([
  ['postgresql://u:p@ep-a-1.eu-central-1.aws.neon.tech/db', true],
  ['postgresql://u:p@ep-a-1-pooler.eu-central-1.aws.neon.tech/db?sslmode=require', true],
  ['postgresql://u:p@neon.tech.example.com/db', false],
  ['postgresql://u:p@notneon.tech/db', false],
  ['postgresql://u:p@127.0.0.1:6432/db', false],
])('whether names are kept is known of %s: %s', (url, kept) => {
  expect(keepsNames(url)).toBe(kept)
})
