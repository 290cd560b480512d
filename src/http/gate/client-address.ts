import { BlockList, isIP, isIPv4 } from 'node:net'
import type { Context } from '../request/context.ts'

/**
 * The address of the caller: the peer of the connection. If the peer is a configured proxy, it is the last address in
 * `X-Forwarded-For` that is no proxy. So a stranger cannot change the result through the header.
 *
 * An IPv6 caller counts by its /64, which is what one customer has. `onUntrusted` is called for each request that has
 * the header from a peer that is no configured proxy.
 *
 * An app that mounts the API may pass no connection. Then the header is trusted where proxies are configured. Without
 * proxies the address is unknown: undefined.
 */
export function clientAddress(
  trustedProxies: readonly string[],
  onUntrusted?: (peer: string) => void,
): (c: Context) => string | undefined {
  const trusted = new BlockList()
  for (const range of trustedProxies) {
    const [address = '', prefix] = range.split('/')
    const family = isIPv4(address) ? 'ipv4' : 'ipv6'
    if (prefix === undefined) trusted.addAddress(address, family)
    else trusted.addSubnet(address, Number(prefix), family)
  }
  const isTrusted = (address: string) => trusted.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
  return (c) => {
    const { incoming } = c.env ?? {}
    let address = incoming === undefined ? undefined : plain(incoming.socket.remoteAddress ?? '')
    const header = c.req.header('x-forwarded-for')
    if (header === undefined || address === '' || (address === undefined && trustedProxies.length === 0))
      return address === undefined ? undefined : network(address)
    if (address !== undefined && !isTrusted(address)) onUntrusted?.(network(address))
    const forwarded = header.split(',').map((each) => plain(each.trim()))
    while (address === undefined || isTrusted(address)) {
      const before = forwarded.pop()
      if (before === undefined || isIP(before) === 0) break
      address = before
    }
    return address === undefined ? undefined : network(address)
  }
}

/** On a dual-stack socket, an IPv4 caller appears as `::ffff:1.2.3.4`. */
function plain(address: string): string {
  return address.startsWith('::ffff:') && isIPv4(address.slice(7)) ? address.slice(7) : address
}

function network(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  // "::" stands for the zero groups that are missing from eight.
  const known = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - groups.length - known.length)
  return [...groups, ...Array<string>(zeros).fill('0'), ...known].slice(0, 4).join(':')
}
