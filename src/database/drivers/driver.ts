/** How Postgres is reached: `pg` over TCP, or Neon's own driver over HTTP or WebSocket, which only Neon answers. */
export type Driver = 'postgres' | 'neon-http' | 'neon-ws'

/** What a runtime says of itself. */
export type Runtime = {
  readonly process?: { readonly versions?: { readonly node?: string } }
  readonly navigator?: { readonly userAgent?: string }
  /** Set by the edge runtime of Vercel and by what imitates it. */
  readonly EdgeRuntime?: unknown
}

/**
 * Whether a connection over TCP can be opened and kept from one request to the next. Node, Bun and Deno can; edge
 * runtimes have no sockets, or, as Cloudflare's Workers, none that outlive the request that opened them.
 */
export function hasTcp({ process, navigator, EdgeRuntime }: Runtime): boolean {
  if (EdgeRuntime !== undefined || navigator?.userAgent === 'Cloudflare-Workers') return false
  return process?.versions?.node !== undefined
}

/** The driver for a setting: `auto` is TCP, or HTTP where there is no TCP. */
export function driverFor(setting: Driver | 'auto', runtime: Runtime = globalThis): Driver {
  if (setting !== 'auto') return setting
  return hasTcp(runtime) ? 'postgres' : 'neon-http'
}
