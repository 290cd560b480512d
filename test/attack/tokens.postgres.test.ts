import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { startApi, type TestApi } from '../support/api.ts'
import { type FreshDatabase, freshDatabase } from '../support/database.ts'
import { startEndpoint } from '../support/key-endpoint.ts'
import { startProxy, type TcpProxy } from '../support/proxy.ts'
import { openRawConnection, type RawConnection } from '../support/raw-connection.ts'
import { type Attack, withSignature } from './attack.ts'
import { type Attempt, isServed, make } from './attempts.ts'
import { algorithms, exchanges, keyConfusion } from './forge-algorithms.ts'
import { claims, payloads, times } from './forge-claims.ts'
import { headers } from './forge-headers.ts'
import { lookAlikes } from './forge-look-alikes.ts'
import { bigEndian, orders, readBig, signatures } from './forge-signatures.ts'
import { spellings } from './forge-spellings.ts'
import { transport } from './forge-transport.ts'
import { modes, openMode } from './modes.ts'
import { craft, type Signer, seconds } from './signer.ts'

let postgres: FreshDatabase
let proxy: TcpProxy
/** Where forged headers point. Nobody may ever ask there. */
let trap: Awaited<ReturnType<typeof startEndpoint>>
/** Whatever this process asks for by `fetch`, and every connection it makes. */
let outbound = 0
const count = () => {
  outbound += 1
}
const channels = ['undici:request:create', 'net.client.socket']

beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: seconds * 1000 })
  postgres = await freshDatabase()
  proxy = await startProxy(postgres.url)
  trap = await startEndpoint((_, response) => response.end())
  for (const channel of channels) subscribe(channel, count)
})
afterAll(async () => {
  for (const channel of channels) unsubscribe(channel, count)
  await trap.close()
  await proxy.close()
  await postgres.drop()
  vi.useRealTimers()
})

const kinds: [string, (signers: readonly Signer[]) => Attempt[]][] = [
  ['another algorithm', each(algorithms)],
  ['a key taken for another kind', each(keyConfusion)],
  ['a key taken for another', (signers) => of(signers[0], exchanges(signers))],
  ['headers that point elsewhere', each((signer) => headers(trap.url)(signer))],
  ['wrong and malleable signatures', each(signatures)],
  ['payloads that are no claims', once(payloads)],
  ['claims of other types, near ones', once(claims)],
  ['times', once(times)],
  ['other spellings', each(spellings)],
  ['other places, several headers', once(transport)],
  ['look-alikes from Better Auth', each(lookAlikes)],
]

function each(attacks: (signer: Signer) => readonly Attack[]): (signers: readonly Signer[]) => Attempt[] {
  return (signers) => signers.flatMap((signer) => of(signer, attacks(signer)))
}

/** For what is checked alike whatever the algorithm: one signer of each kind. */
function once(attacks: (signer: Signer) => readonly Attack[]): (signers: readonly Signer[]) => Attempt[] {
  return (signers) =>
    each(attacks)(signers.filter(({ kind }, at) => signers.findIndex((other) => other.kind === kind) === at))
}

function of(signer: Signer | undefined, attacks: readonly Attack[]): Attempt[] {
  return signer === undefined ? [] : attacks.map((attack) => ({ attack, signer }))
}

// Thousands of requests each: on a busy machine that takes a while.
describe.each(modes)('with $mode', { timeout: 60_000 }, (mode) => {
  let trusted: Awaited<ReturnType<typeof openMode>>
  let api: TestApi
  let wire: RawConnection
  const bodies = new Map<string, string>()

  beforeAll(async () => {
    trusted = await openMode(mode)
    // Outside production a refusal says more.
    api = await startApi({ NODE_ENV: 'production', ...trusted.environment }, { databaseUrl: proxy.url })
    wire = openRawConnection(api.url)
    for (const signer of trusted.signers) {
      expect(await isServed(wire, craft(signer))).toBe(true)
      // The first token under an unknown key is worth one fetch in two seconds; here that is used up.
      expect(await isServed(wire, craft(signer, { header: { kid: 'unknown' } }))).toBe(
        signer.kind === 'secret',
      )
    }
  })
  afterAll(async () => {
    wire.close()
    await api.close()
    await trusted.endpoint.close()
  })

  /** What a refusal may not cost: anything at the database, and anything sent to anybody. */
  const spent = () => ({
    flights: proxy.flights(),
    connections: proxy.accepted(),
    keyFetches: trusted.endpoint.requests() + api.issuer.requests(),
    trapped: trap.requests(),
    outbound: outbound - wire.opened(),
  })

  test.each(kinds)('nothing is gained or spent by %s', async (_, attempts) => {
    const before = spent()
    const faults = await make(attempts(trusted.signers), { wire, bodies, logged: api.logged })
    expect(faults.join('\n')).toBe('')
    expect(spent()).toEqual(before)
  })

  test('each signer was up against at least 150 different tokens', () => {
    for (const signer of trusted.signers) {
      const attacks = kinds.flatMap(([, attempts]) => attempts([signer]))
      expect(new Set(attacks.map(({ attack }) => attack.name)).size).toBeGreaterThanOrEqual(150)
    }
  })

  test('a good token is served however its scheme and header are spelled', async () => {
    for (const signer of trusted.signers)
      for (const start of ['authorization: bearer', 'AUTHORIZATION: BEARER', 'Authorization:bEaReR   '])
        expect(await isServed(wire, craft(signer), start), start).toBe(true)
  })

  test('what is counted does count: a list is one round trip, an unknown key later one fetch', async () => {
    const [signer] = trusted.signers
    if (signer === undefined) throw new Error('nobody is trusted')
    const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })
    const before = spent()
    expect((await api.call('/api/v1/tasks', bearer(craft(signer)))).status).toBe(200)
    expect(spent().flights).toBe(before.flights + 1)
    vi.setSystemTime(seconds * 1000 + 2_000)
    await isServed(wire, craft(signer, { header: { kid: 'unknown' } }))
    expect(spent().keyFetches).toBe(before.keyFetches + (signer.kind === 'secret' ? 0 : 1))
    vi.setSystemTime(seconds * 1000)
  })

  test('the second number an ECDSA signature may have makes no other caller', async () => {
    for (const signer of trusted.signers.filter(({ alg }) => alg.startsWith('ES'))) {
      const order = orders[signer.alg] ?? 0n
      const other = withSignature(craft(signer), (bytes) => {
        const width = bytes.length >> 1
        const s = order - readBig(bytes.subarray(width))
        return Buffer.concat([bytes.subarray(0, width), bigEndian(s, width)])
      })
      expect(await isServed(wire, other)).toBe(true)
    }
  })
})
