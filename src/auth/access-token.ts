import { compactVerify, errors } from 'jose'
import type { BaseLogger } from 'pino'
import { AppError } from '../errors.ts'
import { checkClaims, isTime } from './claims.ts'
import { bearerToken, readCompactToken } from './compact-token.ts'
import { checkDemands, type Demands, noDemands } from './demands.ts'
import { createKeySet, type FetchKeys, type KeySet, type KeySetTiming, secretKeySet } from './keys/key-set.ts'
import {
  type Algorithm,
  isKeyId,
  keyIdHash,
  keySetAlgorithms,
  secretAlgorithms,
  type VerificationKey,
} from './keys/verification-key.ts'
import type { Principal } from './principal.ts'
import { advised, refusal } from './refusal.ts'
import { createSignatureBudget } from './signature-budget.ts'
import { createTokenCache, type Perishable, tokenDigest } from './token-cache.ts'

/**
 * A source of keys, and the issuers that it may sign for. An issuer belongs to one source, hence to one kind of key.
 */
export type KeySource =
  | {
      readonly kind: 'key-set'
      readonly issuers: readonly string[]
      readonly audiences: readonly string[]
      readonly fetchKeys: FetchKeys
      /** Names the source in the log; no secrets. */
      readonly label: string
    }
  | {
      readonly kind: 'secret'
      readonly issuers: readonly [string]
      readonly audiences: readonly string[]
      /** At least 32 bytes. */
      readonly secret: Uint8Array
    }

export type AccessTokens = {
  /**
   * The caller, from every `Authorization` value of the request. A cached token is answered at once.
   * Throws or rejects `unauthenticated`, `invalid_token`, `token_expired`, `forbidden`, `malformed_request` or
   * `unavailable`.
   *
   * Every signature check takes from the budget of the process. Once the budget is empty, a `limited` caller gets no
   * check: `rate_limited`.
   */
  readonly authenticate: (values: readonly string[], limited?: boolean) => Principal | Promise<Principal>
  /**
   * The caller of a cached token that is still valid. Costs no signature check and throws nothing. Undefined means
   * only that `authenticate` must decide.
   */
  readonly known: (values: readonly string[]) => Principal | undefined
  /** False while some source has no key. Starts a fetch that is due, but never waits for it. */
  readonly ready: () => boolean
  /** Stops the fetches. */
  readonly close: () => void
}

type Options = {
  readonly sources: readonly KeySource[]
  readonly log: BaseLogger
  /** Epoch milliseconds. */
  readonly now?: () => number
  /** How far ahead `exp` may lie. Default: 7 days. */
  readonly horizonSeconds?: number
  /** Tolerated clock difference. Default: 5 s. */
  readonly leewaySeconds?: number
  /** Most verified tokens in the cache. Default: 10,000. */
  readonly cacheSize?: number
  readonly keySetTiming?: Partial<KeySetTiming>
  readonly demands?: Demands
  /** True if the response to a refused token contains the advice from the log. Never in production. */
  readonly advises?: boolean
}

type Source = {
  readonly issuers: readonly string[]
  readonly audiences: readonly string[]
  readonly algorithms: readonly Algorithm[]
  readonly needsKeyId: boolean
  readonly keys: KeySet
}

type VerifiedToken = Perishable & { readonly principal: Principal; readonly keys: KeySet }

/**
 * Checks access tokens (RFC 7519, as RFC 8725 asks), always in the same order. A valid token is cached until it
 * expires or its key is gone. A refusal carries its reason and the digest of the key id for the log, never the token.
 * Throws an `Error` at once when two sources share an issuer or a secret is too short.
 */
export function createAccessTokens(options: Options): AccessTokens {
  const {
    now = Date.now,
    horizonSeconds = 7 * 86_400,
    leewaySeconds = 5,
    cacheSize = 10_000,
    demands = noDemands,
    advises = false,
  } = options
  const issuers = options.sources.flatMap((source) => [...source.issuers])
  if (new Set(issuers).size < issuers.length) throw new Error('an issuer belongs to one key source only')
  const sources = options.sources.map((source) => openSource(source, { ...options, now }))
  const cache = createTokenCache<VerifiedToken>(cacheSize)
  const budget = createSignatureBudget(now)

  async function verify(token: string, digest: string, limited: boolean): Promise<Principal> {
    const spend = () => {
      if (!budget.take() && limited) throw refusal('checks_used_up', 1)
    }
    let kid: unknown
    try {
      const { header, claims } = readCompactToken(token)
      kid = header.kid
      const source = sourceOf(claims.iss, sources)
      const algorithm = source.algorithms.find((name) => name === header.alg)
      if (algorithm === undefined) throw refusal('algorithm_not_allowed')
      const at = now()
      const madeBy = isTime(claims.iat) ? Math.min((claims.iat + leewaySeconds) * 1000, at) : at
      const key = await signer(token, { source, algorithm, kid, madeBy, now, spend })

      const policy = { ...source, nowSeconds: now() / 1000, leewaySeconds, horizonSeconds }
      const { subject, issuer, expiresAt } = checkClaims(claims, policy)
      checkDemands(claims, demands)
      const principal = Object.freeze({ id: subject, issuer, expiresAt })
      cache.set(digest, { principal, key, keys: source.keys, diesAt: (expiresAt + leewaySeconds) * 1000 })
      return principal
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      error.note = { ...error.note, kid: keyIdHash(kid) }
      throw advises ? advised(error) : error
    }
  }

  function recall(digest: string): Principal | undefined {
    const at = now()
    const hit = cache.get(digest, at)
    return hit?.keys.usable(at) ? hit.principal : undefined
  }

  return {
    authenticate: (values, limited = false) => {
      const token = bearerToken(values)
      const digest = tokenDigest(token)
      return recall(digest) ?? verify(token, digest, limited)
    },
    known: ([value, ...more]) => {
      // `authenticate` accepts other spellings too. This lookup takes only the usual one.
      if (value === undefined || more.length > 0 || !value.startsWith('Bearer ')) return undefined
      return recall(tokenDigest(value.slice('Bearer '.length)))
    },
    ready: () => {
      // `usable` is false for old keys too. Old keys are no reason to send traffic elsewhere; an empty set is.
      const held = sources.map(({ keys }) => !keys.empty() || keys.usable(now()))
      return held.every(Boolean)
    },
    close: () => {
      for (const { keys } of sources) keys.close()
    },
  }
}

function openSource(source: KeySource, options: Options & { readonly now: () => number }): Source {
  const { issuers, audiences } = source
  if (source.kind === 'secret') {
    const keys = secretKeySet(source.secret)
    return { issuers, audiences, algorithms: secretAlgorithms, needsKeyId: false, keys }
  }
  const { fetchKeys, label } = source
  const { log, now, keySetTiming: timing } = options
  const keys = createKeySet({ fetchKeys, label, log, now, timing })
  return { issuers, audiences, algorithms: keySetAlgorithms, needsKeyId: true, keys }
}

/** The issuer is not verified yet. It only selects the keys, which then have to prove it. */
function sourceOf(issuer: unknown, sources: readonly Source[]): Source {
  if (issuer === undefined) throw refusal('claim_missing')
  if (typeof issuer !== 'string') throw refusal('issuer_unknown')
  const source = sources.find(({ issuers }) => issuers.includes(issuer))
  if (source !== undefined) return source
  const host = URL.parse(issuer)?.host
  const isNear = sources.some(({ issuers }) => issuers.some((one) => URL.parse(one)?.host === host))
  throw refusal(host && isNear ? 'issuer_differs' : 'issuer_unknown')
}

type Signed = {
  readonly source: Source
  readonly algorithm: Algorithm
  readonly kid: unknown
  /** Latest time at which the token can have been made, by its own `iat`; epoch ms. */
  readonly madeBy: number
  readonly now: () => number
  /** Takes one signature check from the budget. Throws when the check is not allowed. */
  readonly spend: () => void
}

/**
 * The key that signed the token. An unknown or wrong key causes at most one fetch, because our copy may be old. If no
 * fetch is allowed yet, a token that may be newer than our copy gets `unavailable`.
 */
async function signer(token: string, signed: Signed): Promise<VerificationKey> {
  const { source, algorithm, kid, madeBy, now } = signed
  const { keys, needsKeyId } = source
  if (kid === undefined ? needsKeyId : !isKeyId(kid)) throw refusal('key_id_malformed')
  const name = isKeyId(kid) ? kid : ''

  const isFresh = keys.usable(now())
  if (!isFresh) await keys.settled()
  const key = keys.find(algorithm, name)
  if (key !== undefined && (await isSigned(token, key, signed))) return key

  if (isFresh) await keys.refetch(now())
  const newer = keys.find(algorithm, name)
  if (newer !== undefined && newer !== key && (await isSigned(token, newer, signed))) return newer

  if (keys.empty()) throw refusal('keys_unavailable', keys.retryAfterSeconds(now()))
  if (newer !== undefined) throw refusal('signature_wrong')
  throw keys.isAsOf(madeBy)
    ? refusal('key_unknown')
    : refusal('key_not_read_yet', keys.retryAfterSeconds(now()))
}

async function isSigned(token: string, key: VerificationKey, { algorithm, spend }: Signed): Promise<boolean> {
  spend()
  try {
    await compactVerify(token, key.cryptoKey, { algorithms: [algorithm] })
    return true
  } catch (error) {
    if (error instanceof errors.JOSEError) return false
    throw error
  }
}
