/** What a path may not hold encoded, because some readers decode it before they look: NUL, dot, slash, backslash. */
const hidden = /%(?:00|2e|2f|5c)/i

const dotSegment = /\/\.{1,2}(?:\/|$)/

/** Why a request target is refused, by the name of the reason in the log. */
export type TargetFault = 'target_form' | 'target_encoding' | 'target_hidden' | 'target_dots'

/**
 * What two readers could read differently in a request target (RFC 9112, section 3.2): any form but a path, a
 * fragment, percent-encoding that is broken or no UTF-8, hidden separators, dot segments. Undefined when there is
 * nothing; then the path is the same to the router, to authentication and to whatever stands in front.
 */
export function targetFault(target: string): TargetFault | undefined {
  if (!target.startsWith('/') || target.includes('#')) return 'target_form'
  const encoded = target.includes('%')
  if (encoded && !isDecodable(target)) return 'target_encoding'
  const [path = ''] = target.split('?', 1)
  if (encoded && hidden.test(path)) return 'target_hidden'
  return dotSegment.test(path) ? 'target_dots' : undefined
}

function isDecodable(target: string): boolean {
  try {
    decodeURIComponent(target)
    return true
  } catch {
    return false
  }
}
