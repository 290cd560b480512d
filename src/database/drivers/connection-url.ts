import type pg from 'pg'

export const connectTimeoutMs = 10_000

/**
 * How `pg` is to connect to a URL. Neon suspends an unused database: the first connection then waits for it to
 * wake, a few hundred milliseconds as a rule, so the time-out is generous.
 *
 * No start-up parameters beyond the name: a pooled URL refuses them (08P01); time-outs are set in each batch.
 */
export function clientConfig(url: string): pg.ClientConfig & { enableChannelBinding: boolean } {
  return {
    connectionString: verifiedTls(url),
    application_name: 'docket',
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    enableChannelBinding: true,
  }
}

/**
 * `pg` already checks certificate and host name for every `sslmode` that asks for TLS, and warns that this will
 * change one day; spelled out it stays so, without the warning.
 */
function verifiedTls(url: string): string {
  return url.replace(/([?&]sslmode=)(prefer|require|verify-ca)(?=&|$)/, '$1verify-full')
}

/**
 * Whether a name given to a statement means the same statement for as long as the connection lasts, whoever answers.
 * Neon does so on both of its URLs: the pooled one is a PgBouncer (1.22 or newer, from 1.21 on it can) that keeps
 * names for its clients. Any other host is asked on each connection.
 */
export function keepsNames(url: string): boolean {
  return /(^|\.)neon\.tech$/.test(new URL(url).hostname)
}
