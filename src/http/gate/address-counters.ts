import { createHmac, createSecretKey, randomBytes } from 'node:crypto'

/** Addresses share this many counters, so that a flood from everywhere needs no more memory than that. */
export const addressCounters = 2 ** 17

/**
 * Gives each address one of the counters. The key is drawn anew at every call of this, and told to nobody: no one can
 * work out an address that shares the counter of a chosen one, to use it up in their place.
 */
export function createAddressCounters(): (address: string) => string {
  // A key object, because a key in bytes is made into one anew at each use, which costs more than the digest.
  const key = createSecretKey(randomBytes(32))
  return (address) => {
    const keyed = createHmac('sha256', key).update(address).digest()
    return String(keyed.readUInt32BE(0) % addressCounters)
  }
}
