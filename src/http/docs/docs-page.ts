import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { type Context, Hono } from 'hono'
import { html, raw } from 'hono/html'
import release from '../../../vendor/scalar/release.json' with { type: 'json' }
import { demoTokenPath, isOwnName } from './demo-token.ts'

type DocsOptions = {
  /** Path of the OpenAPI document on this origin, such as `/openapi.json`. */
  openapiUrl: string
  /**
   * Gives a fresh access token of a demo user, and logs its own failures. Only in development, with the built-in
   * issuer.
   */
  demoToken?: () => Promise<string>
  /** How a person gets a token where there is no demo user: the middle of a sentence. */
  howToGetToken: string
}

const scriptPath = `/docs/scalar-${release.version}.js`

/**
 * `GET /docs`, an interactive page over the OpenAPI document, and the one script it loads. Nothing on it reaches
 * another host: Scalar's outgoing calls are switched off. A Content Security Policy (CSP Level 3) blocks any call that
 * a later version adds.
 *
 * With `demoToken` the page contains a bearer token, so its "Send" works at once. If `demoToken` fails, the page has
 * none. `GET /docs/token` gives such a token to a shell. It reveals nothing that the page does not.
 */
export function docsRoutes(options: DocsOptions): Hono {
  const app = new Hono()

  app.get('/docs', async (c) => {
    // Another name may lead here by its owner's DNS (DNS rebinding). Such a page is foreign, so it gets no token.
    const token = isByOwnName(c) ? await tokenOrNone(options.demoToken) : undefined
    c.header('Content-Security-Policy', contentSecurityPolicy)
    c.header('Cache-Control', 'no-store')
    c.header('Referrer-Policy', 'no-referrer')
    c.header('X-Content-Type-Options', 'nosniff')
    return c.html(page(options, token))
  })

  const { demoToken } = options
  if (demoToken)
    app.get(demoTokenPath, async (c, next) => {
      if (!isByOwnName(c)) return next()
      return c.text(`${await demoToken()}\n`)
    })

  app.get(scriptPath, async (c) => {
    const script = await loadScript()
    const compressed = acceptsGzip(c.req.header('Accept-Encoding'))
    if (compressed) c.header('Content-Encoding', 'gzip')
    c.header('Content-Type', 'text/javascript; charset=utf-8')
    c.header('Cache-Control', 'public, max-age=31536000, immutable')
    c.header('Vary', 'Accept-Encoding')
    c.header('X-Content-Type-Options', 'nosniff')
    return c.body(compressed ? script.gzip : script.plain)
  })

  return app
}

function isByOwnName(c: Context): boolean {
  return isOwnName(new URL(c.req.url).hostname)
}

async function tokenOrNone(demoToken: DocsOptions['demoToken']) {
  try {
    return await demoToken?.()
  } catch {
    return undefined
  }
}

/** Scalar builds its styles in the page, hence the one `unsafe-inline`. Scripts have no such exception. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'unsafe-inline'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

/** Scalar's settings; `bearerAuth` is the name of the security scheme in our OpenAPI document. */
function settings(openapiUrl: string, token: string | undefined) {
  return {
    url: openapiUrl,
    authentication: {
      preferredSecurityScheme: 'bearerAuth',
      ...(token ? { securitySchemes: { bearerAuth: { token } } } : {}),
    },
    persistAuth: false,
    telemetry: false,
    withDefaultFonts: false,
    proxyUrl: '',
    agent: { disabled: true },
    mcp: { disabled: true },
    hideClientButton: true,
    showDeveloperTools: 'never',
    // The defaults are Scalar's own hosts.
    externalUrls: { dashboardUrl: '', registryUrl: '', proxyUrl: '', apiBaseUrl: '' },
    documentDownloadType: 'json',
    // The first group of operations is open. Groups that only operators need are folded.
    defaultOpenAllTags: false,
    defaultOpenFirstTag: true,
  }
}

const icon =
  'data:image/svg+xml,' +
  encodeURIComponent(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="4" ' +
      'fill="#0b6e4f"/><path d="m4 8.5 2.8 2.8L12 5.5" fill="none" stroke="#fff" stroke-width="2"/></svg>',
  )

/** Scalar reserves the height of a header above it, and colours that header by the current scheme. */
const style = `
:root { --scalar-custom-header-height: 36px }
body { margin: 0 }
.notice {
  position: sticky; top: 0; z-index: 20; box-sizing: border-box; height: var(--scalar-custom-header-height); margin: 0;
  padding: 0 12px; display: flex; align-items: center; overflow: hidden; overflow-wrap: anywhere;
  font: 13px/18px system-ui, sans-serif; color: var(--scalar-color-1); background: var(--scalar-background-2);
  border-bottom: 1px solid var(--scalar-border-color);
}
@media (max-width: 1000px) { :root { --scalar-custom-header-height: 60px } }
@media (max-width: 600px) { :root { --scalar-custom-header-height: 84px } }
`
const signedIn = 'Signed in as the demo user: press Test Request, then Send. Token expired? Reload this page.'
const signedOut = (howToGetToken: string) =>
  `To call the API, ${howToGetToken} and paste it under Authentication.`

function page({ openapiUrl, howToGetToken }: DocsOptions, token: string | undefined) {
  const configuration = JSON.stringify(settings(openapiUrl, token))
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Docket</title>
<link rel="icon" href="${icon}">
<style>${raw(style)}</style>
</head>
<body>
<p class="notice"><span>${token ? signedIn : signedOut(howToGetToken)}</span></p>
<noscript>This page needs JavaScript. The OpenAPI document it shows: <a href="${openapiUrl}">${openapiUrl}</a></noscript>
<div id="api-reference" data-configuration="${configuration}"></div>
<script src="${scriptPath}" integrity="${release.fileIntegrity}"></script>
</body>
</html>
`
}

const compress = promisify(gzip)
let script: Promise<{ plain: Uint8Array<ArrayBuffer>; gzip: Uint8Array<ArrayBuffer> }> | undefined

/** The vendored file, read and compressed at its first use. A failure is not cached. */
function loadScript() {
  script ??= readScript().catch((error: unknown) => {
    script = undefined
    throw error
  })
  return script
}

async function readScript() {
  const plain = await readFile(new URL('../../../vendor/scalar/standalone.js', import.meta.url))
  return { plain, gzip: await compress(plain) }
}

/** True only for a listed `gzip` with a weight above 0 (RFC 9110, 12.5.3). All other requests get plain bytes. */
function acceptsGzip(header = '') {
  return header.split(',').some((coding) => /^\s*gzip\s*(;\s*q=(1|0\.\d*[1-9]).*)?$/i.test(coding))
}
