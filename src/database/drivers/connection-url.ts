import type pg from 'pg'

export const connectTimeoutMs = 10_000

/**
 * The settings with which `pg` connects to a URL.
 * Neon suspends an unused database, and waking it usually takes a few hundred milliseconds. The time-out is
 * therefore generous.
 *
 * The name is the only start-up parameter, because a pooled URL refuses others (08P01). Each batch sets its
 * time-outs.
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
 * `pg` verifies certificate and host name for every `sslmode` that asks for TLS, but warns that this will change.
 * `verify-full` keeps that behaviour and avoids the warning.
 */
function verifiedTls(url: string): string {
  return url.replace(/([?&]sslmode=)(prefer|require|verify-ca)(?=&|$)/, '$1verify-full')
}

/**
 * True when the name of a prepared statement is valid for the whole connection, whichever server process answers.
 * This holds for both URLs of Neon. The pooled one is a PgBouncer (1.22 or newer; possible since 1.21) that keeps
 * names for its clients.
 * Any other host is checked on each connection.
 */
export function keepsNames(url: string): boolean {
  return /(^|\.)neon\.tech$/.test(new URL(url).hostname)
}
