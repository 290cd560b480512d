import { createHmac, createSecretKey, hash, randomBytes } from 'node:crypto'

const digits = 12

/** The owner in the log: the same in every process, so that an operator who knows the id finds its lines. */
export function ownerDigest(id: string): string {
  return hash('sha256', id).slice(0, digits)
}

/**
 * The address in the log: the same for one address until the process ends. The key is drawn at every call of this and
 * told to nobody, because there are so few IPv4 addresses that a plain digest of one can be undone.
 */
export function createAddressDigest(): (address: string) => string {
  const key = createSecretKey(randomBytes(32))
  return (address) => createHmac('sha256', key).update(address).digest('hex').slice(0, digits)
}
