import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { z } from 'zod'

const executable = process.env.CHROMIUM ?? '/usr/bin/chromium'

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--window-size=1440,1000',
  // A defect of the page must not reach the host it names: every name but ours resolves to nothing.
  '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
  '--remote-debugging-pipe',
]

const message = z.object({
  id: z.number().optional(),
  method: z.string().default(''),
  params: z.unknown().optional(),
  result: z.unknown().optional(),
  error: z.object({ message: z.string() }).optional(),
})
const request = z.object({ url: z.string(), method: z.string(), headers: z.record(z.string(), z.string()) })
const exceptionDetails = z.object({
  text: z.string(),
  exception: z.object({ description: z.string().optional() }).optional(),
})
const evaluated = z.object({
  result: z.object({ value: z.unknown().optional() }),
  exceptionDetails: exceptionDetails.optional(),
})

export type SeenRequest = z.infer<typeof request>

/** The one tab of a fresh Chromium with an empty profile. */
export type Browser = AsyncDisposable & {
  /** Every request the page tried, those that were blocked and `data:` URLs included. */
  readonly requests: readonly SeenRequest[]
  /** Console errors and warnings, uncaught exceptions, failed loads, violations of a Content Security Policy. */
  readonly complaints: readonly string[]
  /** Loads a page as somebody sees it who prefers this colour scheme. */
  open(url: string, scheme?: 'light' | 'dark'): Promise<void>
  /** From the next page on, the window is a phone's, so wide and high in CSS pixels. */
  becomePhone(width: number, height: number): Promise<void>
  /** The value of a JavaScript expression in the page; a promise is awaited. */
  evaluate(expression: string): Promise<unknown>
  /** Waits until an expression is true, by looking again at each frame; fails after 15 seconds. */
  until(expression: string): Promise<void>
  /**
   * Presses the mouse in the middle of the element an expression gives, once it is there,
   * nothing covers it and it has not moved for 15 frames.
   */
  click(element: string): Promise<void>
  /** Types into whatever has the focus. */
  type(text: string): Promise<void>
  /** A PNG of what the window shows. */
  screenshot(): Promise<Buffer>
}

/**
 * Starts Debian's `chromium` and drives it by the Chrome DevTools Protocol over a pipe: no port, and the
 * browser ends when this process does. Throws, saying what to install, when there is no browser.
 */
export async function openBrowser(): Promise<Browser> {
  if (!existsSync(executable)) {
    throw new Error(
      `No browser at ${executable}: install Debian's package "chromium" (apt-get install chromium), ` +
        'or name another Chromium in the environment variable CHROMIUM.',
    )
  }
  const profile = await mkdtemp(join(tmpdir(), 'browser-profile-'))
  const child = spawn(executable, [...flags, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit')
  const [, , , input, output] = child.stdio
  if (!(input instanceof Writable && output instanceof Readable)) throw new Error('Chromium has no pipe')

  const requests: SeenRequest[] = []
  const complaints: string[] = []
  const devtools = speak(input, output, (method, params) => {
    if (method === 'Network.requestWillBeSent') requests.push(z.object({ request }).parse(params).request)
    const complaint = complaintIn(method, params)
    if (complaint) complaints.push(complaint)
  })
  exited.then(([code]) => devtools.end(`Chromium has ended (${code})`))

  const { targetId } = z
    .object({ targetId: z.string() })
    .parse(await devtools.send('Target.createTarget', { url: 'about:blank' }))
  const { sessionId } = z
    .object({ sessionId: z.string() })
    .parse(await devtools.send('Target.attachToTarget', { targetId, flatten: true }))
  const send = (method: string, params = {}) => devtools.send(method, params, sessionId)
  for (const domain of ['Page', 'Network', 'Log', 'Runtime']) await send(`${domain}.enable`)

  async function evaluate(expression: string) {
    const answer = evaluated.parse(
      await send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true }),
    )
    if (answer.exceptionDetails) throw new Error(describe(answer.exceptionDetails))
    return answer.result.value
  }

  async function until(expression: string) {
    await evaluate(`new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(
        'never became true: ' + ${JSON.stringify(expression)} + '; the page says: ' + document.body?.innerText
      )), 15_000)
      const look = () => {
        if (!(${expression})) return requestAnimationFrame(look)
        clearTimeout(timer)
        resolve()
      }
      look()
    })`)
  }

  return {
    requests,
    complaints,
    evaluate,
    until,
    async open(url, scheme = 'light') {
      await send('Emulation.setEmulatedMedia', {
        features: [{ name: 'prefers-color-scheme', value: scheme }],
      })
      await send('Page.navigate', { url })
      await until(`location.href.startsWith(${JSON.stringify(url)})`)
    },
    async becomePhone(width, height) {
      await send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 2, mobile: true })
    },
    async click(element) {
      await evaluate('window.clickPlace = undefined')
      await until(`(() => {
        const target = ${element}
        const box = target?.getBoundingClientRect()
        if (!box) return false
        const [x, y] = [box.x + box.width / 2, box.y + box.height / 2]
        const before = window.clickPlace
        window.clickPlace = { x, y, frames: before?.x === x && before?.y === y ? before.frames + 1 : 0 }
        if (target.contains(document.elementFromPoint(x, y))) return window.clickPlace.frames >= 15
        target.scrollIntoView({ block: 'center', behavior: 'instant' })
        return false
      })()`)
      const { x, y } = z.object({ x: z.number(), y: z.number() }).parse(await evaluate('window.clickPlace'))
      const at = { x, y, button: 'left', clickCount: 1 }
      await send('Input.dispatchMouseEvent', { ...at, type: 'mousePressed' })
      await send('Input.dispatchMouseEvent', { ...at, type: 'mouseReleased' })
    },
    async type(text) {
      await send('Input.insertText', { text })
    },
    async screenshot() {
      const { data } = z.object({ data: z.base64() }).parse(await send('Page.captureScreenshot'))
      return Buffer.from(data, 'base64')
    },
    async [Symbol.asyncDispose]() {
      await devtools.send('Browser.close')
      await exited
      await rm(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** The protocol: JSON texts, each ended by a NUL, answers matched to questions by `id`. */
function speak(input: Writable, output: Readable, onEvent: (method: string, params: unknown) => void) {
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  let lastId = 0
  let rest = ''
  output.setEncoding('utf8').on('data', (chunk: string) => {
    const texts = (rest + chunk).split('\0')
    rest = texts.pop() ?? ''
    for (const text of texts) {
      const { id, method, params, result, error } = message.parse(JSON.parse(text))
      if (id === undefined) onEvent(method, params)
      else if (error) waiting.get(id)?.reject(new Error(error.message))
      else waiting.get(id)?.resolve(result)
    }
  })
  return {
    send(method: string, params = {}, sessionId?: string) {
      const answer = Promise.withResolvers<unknown>()
      waiting.set(++lastId, answer)
      input.write(`${JSON.stringify({ id: lastId, method, params, sessionId })}\0`)
      return answer.promise
    },
    end(reason: string) {
      for (const answer of waiting.values()) answer.reject(new Error(reason))
    },
  }
}

function complaintIn(method: string, params: unknown): string | undefined {
  if (method === 'Log.entryAdded') {
    const { entry } = z
      .object({ entry: z.object({ level: z.string(), text: z.string(), url: z.string().default('') }) })
      .parse(params)
    return ['error', 'warning'].includes(entry.level) ? `${entry.text} ${entry.url}` : undefined
  }
  if (method === 'Runtime.consoleAPICalled') {
    const { type, args } = z
      .object({
        type: z.string(),
        args: z.array(z.object({ value: z.unknown().optional(), description: z.string().optional() })),
      })
      .parse(params)
    if (!['error', 'warning', 'assert'].includes(type)) return undefined
    return args.map((argument) => argument.description ?? String(argument.value)).join(' ')
  }
  if (method === 'Runtime.exceptionThrown')
    return describe(z.object({ exceptionDetails }).parse(params).exceptionDetails)
  return undefined
}

function describe({ text, exception }: z.infer<typeof exceptionDetails>) {
  return `${text} ${exception?.description ?? ''}`.trim()
}
