import { hash } from 'node:crypto'
import type { VerificationKey } from './keys/verification-key.ts'

/** Anything that is only good for as long as its key is in the set, and not past a moment (epoch ms). */
export type Perishable = { readonly key: VerificationKey; readonly diesAt: number }

/** Verified tokens by the hash of their exact text. */
export type TokenCache<Entry extends Perishable> = {
  /** The entry, if it is still good at `now` (epoch ms). A dead one is dropped. */
  readonly get: (digest: string, now: number) => Entry | undefined
  readonly set: (digest: string, entry: Entry) => void
  readonly size: () => number
}

/** The name of a token in the cache: SHA-256 of its exact text, so memory holds no usable token. */
export function tokenDigest(token: string): string {
  return hash('sha256', token, 'base64url')
}

/** At most `limit` entries; the one used least recently makes room. Loses nothing but time when it forgets. */
export function createTokenCache<Entry extends Perishable>(limit: number): TokenCache<Entry> {
  const entries = new Map<string, Entry>()

  return {
    get: (digest, now) => {
      const entry = entries.get(digest)
      if (entry === undefined) return undefined
      entries.delete(digest)
      if (now >= entry.diesAt || !entry.key.live) return undefined
      // A Map keeps insertion order: putting it back makes it the youngest.
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
