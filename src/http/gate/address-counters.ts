import { createHmac, createSecretKey, randomBytes } from 'node:crypto'

/** All addresses share this many counters, so a flood from many addresses needs no more memory. */
export const addressCounters = 2 ** 17

/**
 * Gives each address one of the counters. Each call of this function draws a new secret key. So nobody can compute an
 * address that shares a victim's counter, to use it up.
 */
export function createAddressCounters(): (address: string) => string {
  // A key in bytes would become a key object at each use, which costs more than the digest.
  const key = createSecretKey(randomBytes(32))
  return (address) => {
    const keyed = createHmac('sha256', key).update(address).digest()
    return String(keyed.readUInt32BE(0) % addressCounters)
  }
}
