/** A JSON object that is not verified. */
export type Untrusted = Readonly<Record<string, unknown>>

/** True for a JSON object: neither `null` nor an array. */
export function isObject(value: unknown): value is Untrusted {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
