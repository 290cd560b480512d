import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { docsRoutes } from '../../src/http/docs/docs-page.ts'
import { type Browser, openBrowser } from '../support/browser.ts'

const run = promisify(execFile)
const token = 'eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJkZW1vIn0.c2lnbmF0dXJl'
const howToGetToken =
  'get a token from your Better Auth (GET https://app.example.com/api/auth/token, signed in there)'
const page = (demoToken?: () => Promise<string>) =>
  docsRoutes({ openapiUrl: '/openapi.json', howToGetToken, ...(demoToken ? { demoToken } : {}) })

describe('the bytes', () => {
  test('the vendored script is the file its checksum describes', async () => {
    const { stdout } = await run(process.execPath, ['scripts/vendor-scalar.ts', '--check'])
    expect(stdout).toContain('checksum right')
  })

  test('the page allows nothing foreign, no inline script, no framing, and is not stored', async () => {
    const response = await page(async () => token).request('/docs')
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/html; charset=UTF-8')
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    expect(response.headers.get('referrer-policy')).toBe('no-referrer')
    expect(response.headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; " +
        "img-src 'self' data:; font-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    )
  })

  test('the script is cached for good under a URL that names its version, compressed for who asks', async () => {
    const html = await (await page().request('/docs')).text()
    const path = /<script src="([^"]+)" integrity="sha512-/.exec(html)?.[1] ?? ''
    expect(path).toMatch(/^\/docs\/scalar-\d+\.\d+\.\d+\.js$/)
    const file = await readFile('vendor/scalar/standalone.js')

    for (const accepted of ['', 'br', 'gzip;q=0', 'gzip;q=0.000, br', 'xgzip']) {
      const response = await page().request(path, { headers: { 'Accept-Encoding': accepted } })
      expect(response.headers.get('content-encoding'), accepted).toBeNull()
      expect(response.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
      expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
      expect(response.headers.get('vary')).toBe('Accept-Encoding')
      expect(file.equals(await response.bytes()), accepted).toBe(true)
    }
    for (const accepted of ['gzip', 'gzip, deflate, br', 'br;q=1.0, GZIP;q=0.8', 'deflate,gzip ; q=1']) {
      const response = await page().request(path, { headers: { 'Accept-Encoding': accepted } })
      expect(response.headers.get('content-encoding'), accepted).toBe('gzip')
      const plain = response.body?.pipeThrough(new DecompressionStream('gzip'))
      expect(file.equals(await new Response(plain).bytes()), accepted).toBe(true)
    }
  })

  test('a page whose demo token cannot be had comes without one, and says where to put a token', async () => {
    for (const failing of [
      () => Promise.reject(new Error('the issuer is down')),
      () => {
        throw new Error('the issuer is down')
      },
    ]) {
      const response = await page(failing).request('/docs')
      expect(response.status).toBe(200)
      const html = await response.text()
      expect(html).toContain(`To call the API, ${howToGetToken} and paste it under Authentication.`)
      expect(html).not.toContain('securitySchemes')
    }
  })

  test('a token cannot break out of the attribute that holds it', async () => {
    const html = await (await page(async () => `"'><script>alert(1)</script>`).request('/docs')).text()
    expect(html.match(/<script/g)).toHaveLength(1)
  })
})

describe('in a browser', () => {
  test('the page lists the operations, in both colour schemes, without a word to another host', async () => {
    await using site = await serveSite()
    await using browser = await openBrowser()
    for (const scheme of ['light', 'dark'] as const) {
      await browser.open(`${site.origin}/docs`, scheme)
      for (const summary of ['List tasks', 'Create a task', 'Read a task'])
        await browser.until(`document.body.innerText.includes('${summary}')`)
      await browser.until(`document.body.classList.contains('${scheme}-mode')`)
    }
    expect(await browser.evaluate('document.title')).toBe('Docket')
    expect(await browser.evaluate(foreignLinks)).toEqual(['https://www.scalar.com/'])
    expect(await browser.evaluate('document.body.innerText')).not.toMatch(/Ask AI|MCP|Open API Client|Share/)
    expect(browser.complaints).toEqual([])
    expect(foreign(browser, site.origin)).toEqual([])
  })

  test('what a client needs is open, and what only operators need is folded away', async () => {
    await using site = await serveSite()
    await using browser = await openBrowser()
    await browser.open(`${site.origin}/docs`)
    await browser.until(`document.body.innerText.includes('Create a task')`)
    const text = String(await browser.evaluate('document.body.innerText'))
    expect(text).not.toContain('Is the process up?')
    expect(text.indexOf('Tasks')).toBeLessThan(text.indexOf('Server'))
    await browser.click(
      `[...document.querySelectorAll('button, a')].find((one) => one.innerText?.trim() === 'Server')`,
    )
    await browser.until(`document.body.innerText.includes('Is the process up?')`)
  })

  test.each([
    ['with a demo token', async () => token],
    ['without one', undefined],
  ])('%s the page and its notice fit a phone', async (_, demoToken) => {
    await using site = await serveSite(demoToken)
    await using browser = await openBrowser()
    await browser.becomePhone(375, 667)
    await browser.open(`${site.origin}/docs`)
    await browser.until(`document.body.innerText.includes('List tasks')`)
    expect(await browser.evaluate('innerWidth')).toBe(375)
    expect(await browser.evaluate('document.scrollingElement.scrollWidth')).toBe(375)
    const [text, notice] = z.tuple([Box, Box]).parse(
      await browser.evaluate(`['.notice > span', '.notice'].map((one) => document.querySelector(one))
        .map((one) => one.getBoundingClientRect().toJSON())`),
    )
    expect(text.height).toBeGreaterThan(0)
    for (const edge of ['top', 'left'] as const) expect(text[edge]).toBeGreaterThanOrEqual(notice[edge])
    for (const edge of ['bottom', 'right'] as const) expect(text[edge]).toBeLessThanOrEqual(notice[edge])
  })

  test('with a demo token, Send calls the API with it and shows the answer', async () => {
    await using site = await serveSite(async () => token)
    await using browser = await openBrowser()
    await browser.open(`${site.origin}/docs`)

    await send(browser, 'GET/api/v1/tasks')
    await browser.until(`document.body.innerText.includes('200 OK')`)
    await browser.until(`document.body.innerText.includes('from the list')`)

    await browser.open(`${site.origin}/docs?again`)
    await send(browser, 'POST/api/v1/tasks')
    await browser.until(`document.body.innerText.includes('201 Created')`)

    expect(site.calls).toEqual([
      { method: 'GET', authorization: `Bearer ${token}`, body: '' },
      { method: 'POST', authorization: `Bearer ${token}`, body: expect.stringContaining('Buy milk') },
    ])
    expect(browser.complaints).toEqual([])
    expect(foreign(browser, site.origin)).toEqual([])
  })

  test('without a demo token, Send works with the token a user pastes, and it is kept nowhere', async () => {
    await using site = await serveSite()
    await using browser = await openBrowser()
    await browser.open(`${site.origin}/docs`)
    await browser.click(`document.querySelector('input[placeholder="Token"]')`)
    await browser.type('pasted.by.hand')
    await send(browser, 'GET/api/v1/tasks')
    await browser.until(`document.body.innerText.includes('200 OK')`)
    expect(site.calls).toEqual([{ method: 'GET', authorization: 'Bearer pasted.by.hand', body: '' }])
    expect(await browser.evaluate(stored)).not.toContain('pasted.by.hand')
    expect(browser.complaints).toEqual([])
  })

  test('a script that is not the vendored one does not run', async () => {
    await using site = await serveSite(undefined, (body) => `${body};document.title='changed'`)
    await using browser = await openBrowser()
    await browser.open(`${site.origin}/docs`)
    await browser.until(`document.readyState === 'complete'`)
    expect(await browser.evaluate('document.title')).toBe('Docket')
    expect(browser.complaints.join()).toContain('integrity')
  })
})

const Box = z.object({
  top: z.number(),
  left: z.number(),
  bottom: z.number(),
  right: z.number(),
  height: z.number(),
})

/** What a user does in Scalar: choose the operation, press "Test Request", press "Send". */
async function send(browser: Browser, operation: string) {
  await browser.click(`document.querySelector('a[href$="${operation}"]')`)
  await browser.click(
    `document.querySelector('[id$="${operation}"]')?.querySelector('.show-api-client-button')`,
  )
  await browser.click(
    `[...document.querySelectorAll('[data-addressbar-action="send"]')].find((button) => button.checkVisibility())`,
  )
}

/** Requests to anywhere but our own origin; `data:` and `blob:` stay inside the browser. */
const foreign = ({ requests }: Browser, origin: string) =>
  requests.map(({ url }) => url).filter((url) => !/^(data|blob):/.test(url) && new URL(url).origin !== origin)

/** All the page keeps beyond its own life. */
const stored = 'JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])'

/** The one link that leaves says whose page it is; nothing follows it but a click. */
const foreignLinks = `[...new Set([...document.links].filter(({ origin }) => origin !== location.origin)
  .map(({ href }) => href))]`

async function serveSite(demoToken?: () => Promise<string>, alter?: (script: string) => string) {
  const calls: { method: string; authorization: string | undefined; body: string }[] = []
  const app = new Hono()
  app.get('/docs/:script{.+[.]js}', async (c, next) => {
    await next()
    if (!alter) return
    c.res.headers.delete('Content-Encoding')
    c.res = new Response(alter(await readFile('vendor/scalar/standalone.js', 'utf8')), {
      headers: { 'Content-Type': 'text/javascript' },
    })
  })
  app.route('/', page(demoToken))
  app.get('/openapi.json', (c) => c.json(openapi))
  app.on(['GET', 'POST'], '/api/v1/tasks', async (c) => {
    calls.push({
      method: c.req.method,
      authorization: c.req.header('authorization'),
      body: await c.req.text(),
    })
    return c.json([{ title: 'from the list' }], c.req.method === 'GET' ? 200 : 201)
  })
  const listening = Promise.withResolvers<number>()
  const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) =>
    listening.resolve(port),
  )
  return {
    origin: `http://127.0.0.1:${await listening.promise}`,
    calls,
    async [Symbol.asyncDispose]() {
      const closed = Promise.withResolvers<void>()
      server.close(() => closed.resolve())
      await closed.promise
    },
  }
}

const task = {
  type: 'object',
  properties: { title: { type: 'string', example: 'Buy milk' }, status: { type: 'string', default: 'Todo' } },
}
const json = (schema: object) => ({ content: { 'application/json': { schema } } })
const openapi = {
  openapi: '3.1.0',
  info: { title: 'Docket', version: '1.0.0', description: 'A small document in the shape of ours.' },
  servers: [{ url: '/' }],
  security: [{ bearerAuth: [] }],
  tags: [{ name: 'Tasks' }, { name: 'Server' }],
  paths: {
    '/livez': {
      get: {
        operationId: 'getLiveness',
        summary: 'Is the process up?',
        tags: ['Server'],
        responses: { 200: { description: 'It is' } },
      },
    },
    '/api/v1/tasks': {
      get: {
        operationId: 'listTasks',
        summary: 'List tasks',
        tags: ['Tasks'],
        responses: { 200: { description: 'Tasks', ...json({ type: 'array', items: task }) } },
      },
      post: {
        operationId: 'createTask',
        summary: 'Create a task',
        tags: ['Tasks'],
        requestBody: { required: true, ...json(task) },
        responses: { 201: { description: 'Created', ...json(task) } },
      },
    },
    '/api/v1/tasks/{id}': {
      get: {
        operationId: 'readTask',
        summary: 'Read a task',
        tags: ['Tasks'],
        parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string', format: 'uuid' } }],
        responses: { 200: { description: 'Task', ...json(task) } },
      },
    },
  },
  components: { securitySchemes: { bearerAuth: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
}

test('a page that came here by another name gets no token to read', async () => {
  const site = page(async () => 'the-demo-token')
  const bodies = ['http://evil.example:8000', 'http://localhost.evil.example', 'http://127.0.0.1:8000'].map(
    async (origin) => (await site.request(`${origin}/docs`)).text(),
  )
  const has = (await Promise.all(bodies)).map((body) => body.includes('the-demo-token'))
  expect(has).toEqual([false, false, true])
})

test('a shell gets a token of the demo user, under a name of this machine only, and none where there is no such user', async () => {
  const ask = (origin: string, site = page(async () => token)) => site.request(`${origin}/docs/token`)
  const answer = await ask('http://127.0.0.1:8000')
  expect([answer.status, await answer.text()]).toEqual([200, `${token}\n`])
  for (const origin of [
    'http://evil.example:8000',
    'http://127.0.0.1.evil.example',
    'http://192.168.0.7:8000',
  ])
    expect((await ask(origin)).status, origin).toBe(404)
  expect((await ask('http://127.0.0.1:8000', page())).status).toBe(404)
})
