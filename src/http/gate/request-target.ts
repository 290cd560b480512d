/**
 * Characters that a path may not contain encoded: NUL, dot, slash, backslash. Some readers decode them before they
 * check.
 */
const hidden = /%(?:00|2e|2f|5c)/i

const dotSegment = /\/\.{1,2}(?:\/|$)/

/** The reasons to refuse a request target, by their names in the log. */
export type TargetFault = 'target_form' | 'target_encoding' | 'target_hidden' | 'target_dots'

/**
 * The ambiguity in a request target (RFC 9112, section 3.2), or undefined. Ambiguous are: any form but a path, a
 * fragment, percent-encoding that is broken or not UTF-8, hidden separators, dot segments. Without a fault, the
 * router, authentication and any proxy in front read the same path.
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
