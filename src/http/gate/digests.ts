import { createHmac, createSecretKey, hash, randomBytes } from 'node:crypto'

const digits = 12

/** The owner in the log. It is the same in every process, so an operator who knows the id can find its lines. */
export function ownerDigest(id: string): string {
  return hash('sha256', id).slice(0, digits)
}

/**
 * The address in the log: the same for one address until the process ends. Each call of this function draws a new
 * secret key. IPv4 addresses are so few that a plain digest of one can be reversed.
 */
export function createAddressDigest(): (address: string) => string {
  const key = createSecretKey(randomBytes(32))
  return (address) => createHmac('sha256', key).update(address).digest('hex').slice(0, digits)
}
