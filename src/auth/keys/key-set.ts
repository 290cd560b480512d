import type { BaseLogger } from 'pino'
import { isUnprotected } from '../../config/values.ts'
import { causeOf, record } from '../../events.ts'
import { KeySetFault, readKeyDocument } from './key-document.ts'
import {
  type Algorithm,
  type ImportedKeys,
  importKeys,
  keyName,
  secretKey,
  type VerificationKey,
} from './verification-key.ts'

/** The keys of one issuer, as the token check uses them. Times are epoch milliseconds. */
export type KeySet = {
  /** True when the keys may be used without waiting. Starts a due refresh in the background. */
  readonly usable: (now: number) => boolean
  /** Waits for the fetch under way, if there is one. */
  readonly settled: () => Promise<void>
  readonly find: (algorithm: Algorithm, kid: string) => VerificationKey | undefined
  /** For a token that no known key verifies. Fetches at most once per interval. */
  readonly refetch: (now: number) => Promise<void>
  /** True when the last successful fetch began at `moment` or later. A key that it lacks did not exist at `moment`. */
  readonly isAsOf: (moment: number) => boolean
  readonly empty: () => boolean
  readonly retryAfterSeconds: (now: number) => number
  readonly close: () => void
}

/** Limits and intervals in milliseconds. */
export type KeySetTiming = {
  /** Timeout of the whole fetch, body included. */
  readonly limitMs: number
  /** Interval between refreshes while tokens are checked. An idle key set is not fetched. */
  readonly refreshMs: number
  /** Idle time beyond the refresh interval after which the next check waits for the refresh. */
  readonly graceMs: number
  /** Interval between fetches after a failure. */
  readonly retryMs: number
  /**
   * Interval between fetches for unknown keys. A new key is known after this time, however many unknown keys are asked
   * for.
   */
  readonly refetchMs: number
  /** How long known keys outlive the last successful fetch. */
  readonly staleMs: number
}

export const keySetTiming: KeySetTiming = {
  limitMs: 2_000,
  refreshMs: 5 * 60_000,
  graceMs: 30_000,
  retryMs: 30_000,
  refetchMs: 2_000,
  staleMs: 24 * 3_600_000,
}

export type FetchKeys = (signal: AbortSignal) => Promise<Response>

/**
 * Reads a key set from a URL. It follows no redirect and sends no credentials. Plain `http:` is for loopback only,
 * unless `allowHttp` is set. Throws a `TypeError` at once for any other URL.
 */
export function remoteKeys(url: string, { allowHttp = false } = {}): FetchKeys {
  const target = new URL(url)
  if (target.username !== '' || target.password !== '')
    throw new TypeError('the address of a key set holds no name or password')
  if (!/^https?:$/.test(target.protocol) || (isUnprotected(target) && !allowHttp))
    throw new TypeError('a key set is read over https, or over http from a loopback address')
  return (signal) => fetch(target, { redirect: 'manual', headers: { accept: 'application/json' }, signal })
}

/**
 * Fetches and imports a key set once. It ends within `limitMs` even if `fetchKeys` ignores its signal. Throws
 * `KeySetFault`.
 */
export async function loadKeys(
  fetchKeys: FetchKeys,
  options: { limitMs?: number; signal?: AbortSignal } = {},
): Promise<ImportedKeys> {
  const controller = new AbortController()
  const abort = () => controller.abort(new KeySetFault('timeout'))
  const timer = setTimeout(abort, options.limitMs ?? keySetTiming.limitMs).unref()
  options.signal?.addEventListener('abort', abort, { once: true })
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  controller.signal.addEventListener('abort', () => reject(controller.signal.reason), { once: true })
  try {
    const read = async () => readKeyDocument(await fetchKeys(controller.signal))
    return await importKeys(await Promise.race([read(), aborted]))
  } catch (error) {
    throw error instanceof KeySetFault ? error : new KeySetFault('unreachable', error)
  } finally {
    clearTimeout(timer)
    options.signal?.removeEventListener('abort', abort)
  }
}

type KeySetOptions = {
  readonly fetchKeys: FetchKeys
  /** Names the set in the log; no secrets. */
  readonly label: string
  readonly log: BaseLogger
  readonly now: () => number
  readonly timing?: Partial<KeySetTiming> | undefined
}

/**
 * A key set that starts loading at once and keeps its keys:
 * - A failing endpoint removes no key before the stale limit.
 * - A key that left the set dies at the next refresh.
 * - The clock bounds the number of fetches, whatever the number of requests.
 *
 * It has no timers: a token check or a readiness check starts the fetch that is due. Throws nothing.
 */
export function createKeySet({ fetchKeys, label, log, now, ...options }: KeySetOptions): KeySet {
  const timing = { ...keySetTiming, ...options.timing }
  const closing = new AbortController()
  let keys: ReadonlyMap<string, VerificationKey> = new Map()
  let dueAt = 0
  let waitFrom = 0
  let staleAt = 0
  let failures = 0
  let askedAt = Number.NEGATIVE_INFINITY
  let lastRefetchAt = Number.NEGATIVE_INFINITY
  let lastIgnored = '[]'
  let inFlight: Promise<void> | undefined

  function refresh(): Promise<void> {
    if (closing.signal.aborted) return Promise.resolve()
    inFlight ??= load(now())
      .catch(postpone)
      .finally(() => {
        inFlight = undefined
      })
    return inFlight
  }

  async function load(startedAt: number): Promise<void> {
    const { keys: loaded, ignored } = await loadKeys(fetchKeys, {
      limitMs: timing.limitMs,
      signal: closing.signal,
    })
    askedAt = startedAt
    replaceKeys(loaded)
    if (JSON.stringify(ignored) !== lastIgnored) {
      lastIgnored = JSON.stringify(ignored)
      if (ignored.length > 0) record(log, 'warn', 'keys_ignored', { source: label, ignored: [...ignored] })
    }
    if (loaded.size === 0) throw new KeySetFault('no_usable_key')
    failures = 0
    dueAt = now() + Math.min(timing.refreshMs, timing.staleMs)
    waitFrom = dueAt + timing.graceMs
    staleAt = now() + timing.staleMs
  }

  function postpone(error: unknown): void {
    if (closing.signal.aborted) return
    // Without a key no token can be verified, so the first retries come sooner. Requests do not hasten them.
    const delay = keys.size > 0 ? timing.retryMs : Math.min(1000 * 2 ** failures, timing.retryMs)
    failures += 1
    dueAt = now() + delay
    if (keys.size > 0) dueAt = Math.min(dueAt, staleAt)
    waitFrom = Number.POSITIVE_INFINITY
    record(log, 'warn', 'keys_unreadable', { source: label, held: keys.size, ...told(error) })
  }

  function replaceKeys(loaded: ReadonlyMap<string, VerificationKey>): void {
    const kept = new Map(loaded)
    for (const [name, key] of keys) {
      if (kept.get(name)?.thumbprint === key.thumbprint) kept.set(name, key)
      else key.live = false
    }
    keys = kept
  }

  void refresh()
  return {
    usable: (at) => {
      if (at < dueAt) return keys.size > 0
      if (at >= staleAt && keys.size > 0) {
        record(log, 'error', 'keys_dropped', { source: label })
        replaceKeys(new Map())
      }
      void refresh()
      return keys.size > 0 && at < waitFrom
    },
    settled: () => inFlight ?? Promise.resolve(),
    find: (algorithm, kid) => keys.get(keyName(algorithm, kid)),
    refetch: async (at) => {
      if (inFlight === undefined) {
        // After a failure, the clock alone decides when the next fetch is due.
        if (closing.signal.aborted || failures > 0 || at - lastRefetchAt < timing.refetchMs) return
        lastRefetchAt = at
      }
      await refresh()
    },
    isAsOf: (moment) => askedAt >= moment,
    empty: () => keys.size === 0,
    retryAfterSeconds: (at) => {
      const nextAt = failures > 0 ? dueAt : lastRefetchAt + timing.refetchMs
      return Math.max(1, Math.ceil((nextAt - at) / 1000))
    },
    close: () => closing.abort(),
  }
}

/** The log fields of a failure. The reason of a fault locates it; only a defect needs its stack. */
function told(error: unknown) {
  if (!(error instanceof KeySetFault)) return { reason: 'unreadable', cause: causeOf(error) }
  return { reason: error.reason, cause: { type: error.name, message: error.message } }
}

/** A shared secret in the shape of a key set: one key for every key id, always present. */
export function secretKeySet(secret: Uint8Array): KeySet {
  const key = secretKey(secret)
  return {
    usable: () => true,
    settled: () => Promise.resolve(),
    find: () => key,
    refetch: () => Promise.resolve(),
    isAsOf: () => true,
    empty: () => false,
    retryAfterSeconds: () => 1,
    close: () => undefined,
  }
}
