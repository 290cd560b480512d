import { readFileSync, writeFileSync } from 'node:fs'

/** Whether Linux gives what waits for a listener that closes to another at the same port. */
const migrateRequests = '/proc/sys/net/ipv4/tcp_migrate_req'

/** `0` or `1`, or that there is no such setting. */
export function migratingRequests(): string {
  try {
    return readFileSync(migrateRequests, 'utf8').trim()
  } catch {
    return 'unknown'
  }
}

/**
 * Sets it until disposed of, for the whole machine.
 * @throws Error for who may not.
 */
export function migrateRequestsNow(): Disposable {
  const before = migratingRequests()
  try {
    writeFileSync(migrateRequests, '1')
  } catch (cause) {
    throw new Error('--migrate-requests sets net.ipv4.tcp_migrate_req, which takes Linux 5.14 and root.', {
      cause,
    })
  }
  return { [Symbol.dispose]: () => writeFileSync(migrateRequests, before) }
}
