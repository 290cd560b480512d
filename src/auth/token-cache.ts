import { hash } from 'node:crypto'
import type { VerificationKey } from './keys/verification-key.ts'

/** An entry that is valid only while its key is in the set, and until `diesAt` (epoch ms). */
export type Perishable = { readonly key: VerificationKey; readonly diesAt: number }

/** Verified tokens by the hash of their exact text. */
export type TokenCache<Entry extends Perishable> = {
  /** The entry, if it is still valid at `now` (epoch ms). A dead entry is removed. */
  readonly get: (digest: string, now: number) => Entry | undefined
  readonly set: (digest: string, entry: Entry) => void
  readonly size: () => number
}

/** The cache key of a token: SHA-256 of its exact text, so memory holds no usable token. */
export function tokenDigest(token: string): string {
  return hash('sha256', token, 'base64url')
}

/** At most `limit` entries; the least recently used one is evicted. An eviction costs only time. */
export function createTokenCache<Entry extends Perishable>(limit: number): TokenCache<Entry> {
  const entries = new Map<string, Entry>()

  return {
    get: (digest, now) => {
      const entry = entries.get(digest)
      if (entry === undefined) return undefined
      entries.delete(digest)
      if (now >= entry.diesAt || !entry.key.live) return undefined
      // A Map keeps insertion order, so inserting again makes the entry the newest.
      entries.set(digest, entry)
      return entry
    },
    set: (digest, entry) => {
      entries.delete(digest)
      entries.set(digest, entry)
      if (entries.size <= limit) return
      for (const oldest of entries.keys()) {
        entries.delete(oldest)
        break
      }
    },
    size: () => entries.size,
  }
}
