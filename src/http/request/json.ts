import { AppError } from '../../errors.ts'

/** Objects and arrays inside each other, the outermost included. */
export const jsonDepthLimit = 32

/** Names in one object. A name costs far more than its bytes: 30,000 of them, in 256 kB, took 50 to 100 ms. */
export const jsonNamesLimit = 1_000

const quote = 0x22
const backslash = 0x5c
const colonNext = /[ \t\n\r]*:/y

/**
 * The value of a JSON text (RFC 8259) that every parser reads alike: no object has a name twice, however it is
 * spelled, or more than 1,000 names, and nothing lies deeper than 32 levels. Linear in the length of the text. `__proto__` is a name as any other.
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

/** Looks only for what `JSON.parse` lets pass; of a text that is no JSON it may say anything. */
function faultOf(text: string): string | undefined {
  /** What is open at this place: of an object the names so far, of an array nothing. */
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

/** Where the quotation mark is that ends the string, or the end of the text. */
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
