import { AppError } from '../../errors.ts'

/** Deepest nesting of objects and arrays, the outermost included. */
export const jsonDepthLimit = 32

/** Most names in one object. A name costs far more than its bytes: 30,000 of them, in 256 kB, took 50 to 100 ms. */
export const jsonNamesLimit = 1_000

const quote = 0x22
const backslash = 0x5c
const colonNext = /[ \t\n\r]*:/y

/**
 * The value of a JSON text (RFC 8259) that every parser reads alike. An object has no duplicate name, in any spelling,
 * and at most 1,000 names. Nothing is nested deeper than 32 levels. `__proto__` is an ordinary name. Linear in the
 * length of the text.
 *
 * @throws AppError `malformed_request`.
 */
export function parseJson(text: string): unknown {
  let fault: string | undefined
  try {
    fault = faultOf(text)
    if (fault === undefined) return JSON.parse(text)
  } catch {
    fault = 'The body is not valid JSON.'
  }
  throw new AppError('malformed_request', fault)
}

/** Finds only faults that `JSON.parse` accepts. For a text that is not JSON the result means nothing. */
function faultOf(text: string): string | undefined {
  /** The open objects and arrays: the names so far for an object, undefined for an array. */
  const open: (Set<string> | undefined)[] = []
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '{':
      case '[':
        open.push(text[at] === '{' ? new Set() : undefined)
        if (open.length > jsonDepthLimit) return `The body is nested deeper than ${jsonDepthLimit} levels.`
        break
      case '}':
      case ']':
        open.pop()
        break
      case '"': {
        const end = endOfString(text, at + 1)
        const names = open.at(-1)
        if (names !== undefined && isName(text, end + 1)) {
          const name = nameOf(text.slice(at + 1, end))
          if (names.has(name)) return 'The body has the same field twice.'
          if (names.size === jsonNamesLimit)
            return `An object of the body has more than ${jsonNamesLimit} fields.`
          names.add(name)
        }
        at = end
      }
    }
  }
  return undefined
}

/** The index of the quotation mark that ends the string, or the end of the text. */
function endOfString(text: string, from: number): number {
  let at = from
  while (at < text.length && text.charCodeAt(at) !== quote) at += text.charCodeAt(at) === backslash ? 2 : 1
  return at
}

function isName(text: string, behind: number): boolean {
  colonNext.lastIndex = behind
  return colonNext.test(text)
}

/** `"a"` and `"\u0061"` are one name. */
function nameOf(spelled: string): string {
  return spelled.includes('\\') ? String(JSON.parse(`"${spelled}"`)) : spelled
}
