/** Where a shell gets a token of the demo user, under a name of this machine and outside production only. */
export const demoTokenPath = '/docs/token'

/** Names that no owner of a domain can lead elsewhere, so a page that came by one of them is ours. */
export function isOwnName(hostname: string): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(hostname)
}
