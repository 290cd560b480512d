/** The way to Postgres: `pg` over TCP, or Neon's own driver over HTTP or WebSocket. Only Neon answers the latter. */
export type Driver = 'postgres' | 'neon-http' | 'neon-ws'

/** The globals by which a runtime identifies itself. */
export type Runtime = {
  readonly process?: { readonly versions?: { readonly node?: string } }
  readonly navigator?: { readonly userAgent?: string }
  /** Set by Vercel's edge runtime and its imitations. */
  readonly EdgeRuntime?: unknown
}

/**
 * True when a TCP connection can be opened and kept across requests, as in Node, Bun and Deno.
 * Edge runtimes have no sockets, or none that outlive the request that opened them (Cloudflare Workers).
 */
export function hasTcp({ process, navigator, EdgeRuntime }: Runtime): boolean {
  if (EdgeRuntime !== undefined || navigator?.userAgent === 'Cloudflare-Workers') return false
  return process?.versions?.node !== undefined
}

/** The driver for a setting. `auto` means TCP, or HTTP where there is no TCP. */
export function driverFor(setting: Driver | 'auto', runtime: Runtime = globalThis): Driver {
  if (setting !== 'auto') return setting
  return hasTcp(runtime) ? 'postgres' : 'neon-http'
}
