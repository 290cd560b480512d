import type { Logger } from 'pino'
import { record } from '../../events.ts'

const advice =
  'If a proxy stands in front, name it in TRUSTED_PROXIES: until then all callers behind it count as one address. ' +
  'If none does, a caller wrote the header, and nothing has to be done.'

/** Warns that an untrusted peer sent `X-Forwarded-For`. Only once, because a stranger can send it without limit. */
export function warnOfUntrustedProxy(log: Logger, digest: (address: string) => string) {
  let told = false
  return (peer: string): void => {
    if (told) return
    told = true
    record(log, 'warn', 'proxy_untrusted', { peer: digest(peer), advice })
  }
}
