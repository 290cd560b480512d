/** The path at which a shell gets a token of the demo user. Only under a name of this machine, never in production. */
export const demoTokenPath = '/docs/token'

/** Names that no owner of a domain can point elsewhere. A page loaded by one of them is ours. */
export function isOwnName(hostname: string): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(hostname)
}
