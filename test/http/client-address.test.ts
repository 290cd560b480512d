import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { clientAddress } from '../../src/http/gate/client-address.ts'
import type { Context } from '../../src/http/request/context.ts'

/** A request as far as this function looks at one. */
function request(peer: string | undefined, forwarded?: string): Context {
  const incoming = { socket: { remoteAddress: peer } } as IncomingMessage
  const env = peer === undefined ? undefined : { incoming }
  return { env, req: { header: () => forwarded } } as unknown as Context
}

const cases: [
  what: string,
  proxies: string[],
  peer: string | undefined,
  forwarded: string | undefined,
  expected: string | undefined,
][] = [
  ['without proxies the header is not believed', [], '203.0.113.9', '192.0.2.1', '203.0.113.9'],
  ['a peer that is no proxy is not believed', ['10.0.0.0/8'], '203.0.113.9', '192.0.2.1', '203.0.113.9'],
  ['behind a proxy it is the last one before it', ['10.0.0.1'], '10.0.0.1', '192.0.2.1', '192.0.2.1'],
  ['behind two it is the one before both', ['10.0.0.0/8'], '10.0.0.1', '192.0.2.1, 10.0.0.2', '192.0.2.1'],
  ['what stands further left is not believed', ['10.0.0.1'], '10.0.0.1', '1.1.1.1, 192.0.2.1', '192.0.2.1'],
  ['rubbish leaves the proxy itself', ['10.0.0.1'], '10.0.0.1', 'unknown', '10.0.0.1'],
  ['no header leaves the proxy itself', ['10.0.0.1'], '10.0.0.1', undefined, '10.0.0.1'],
  ['IPv4 on a socket for both is IPv4', ['10.0.0.1'], '::ffff:10.0.0.1', '::ffff:192.0.2.1', '192.0.2.1'],
  ['IPv6 counts by its /64', [], '2001:db8:1:2:3:4:5:6', undefined, '2001:db8:1:2'],
  ['also when zeros are left out', [], '2001:db8::6', undefined, '2001:db8:0:0'],
  ['also when it begins with them', [], '::1', undefined, '0:0:0:0'],
  ['without a connection it is unknown, whatever the header says', [], undefined, '192.0.2.1', undefined],
  [
    'without a connection, behind a proxy, it is the last one',
    ['10.0.0.1'],
    undefined,
    '1.1.1.1, 192.0.2.1',
    '192.0.2.1',
  ],
  [
    'without a connection and without the header it is unknown',
    ['10.0.0.1'],
    undefined,
    undefined,
    undefined,
  ],
]

test.each(cases)('%s', (_what, proxies, peer, forwarded, expected) => {
  expect(clientAddress(proxies)(request(peer, forwarded))).toBe(expected)
})

test.each<[heard: string[], proxies: string[], peer: string, forwarded: string | undefined]>([
  [['203.0.113.9'], [], '203.0.113.9', '192.0.2.1'],
  [['203.0.113.9'], ['10.0.0.0/8'], '203.0.113.9', ''],
  [['2001:db8:1:2'], ['10.0.0.0/8'], '2001:db8:1:2:3:4:5:6', '192.0.2.1'],
  [[], ['10.0.0.0/8'], '10.0.0.1', '192.0.2.1'],
  [[], [], '203.0.113.9', undefined],
  // Behind another server's `fetch` no peer is known, and there is nothing to trust.
  [[], [], '', '192.0.2.1'],
])(
  '%j is heard of: trusted are %j, the peer is %s, and it forwards for %s',
  (heard, proxies, peer, forwarded) => {
    const untrusted: string[] = []
    clientAddress(proxies, (one) => untrusted.push(one))(request(peer, forwarded))
    expect(untrusted).toEqual(heard)
  },
)
