import { randomUUID } from 'node:crypto'

/** Ids that one millisecond can count. Beyond this number, the count restarts. */
const countable = 2 ** 12
let millisecond = 0
let made = 0

/**
 * A UUID of version 7 (RFC 9562): 48 bits of Unix time in milliseconds, a count within the millisecond (12 bits,
 * section 6.2, method 1) and 62 random bits.
 *
 * While the clock runs forwards, the ids of this process sort in the order of their creation. So the later of two rows
 * of one millisecond sorts as the newer one. Rows made together are neighbours in the index.
 */
export function newId(): string {
  const now = Date.now()
  made = now === millisecond ? (made + 1) % countable : 0
  millisecond = now
  const time = now.toString(16).padStart(12, '0')
  const count = made.toString(16).padStart(3, '0')
  // Version 4 differs only in its first 64 bits. Node draws it from a buffer of random bytes.
  return `${time.slice(0, 8)}-${time.slice(8)}-7${count}${randomUUID().slice(18)}`
}
