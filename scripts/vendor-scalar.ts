/**
 * Brings the page behind `/docs` into the repository: one file of `@scalar/api-reference`, at an exact
 * version, with its checksum and licence. It is no dependency: its peers would pull in an old TypeScript.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { z } from 'zod'

const usage = `Usage: node scripts/vendor-scalar.ts [version]
       node scripts/vendor-scalar.ts --check

Writes vendor/scalar/ from the npm package @scalar/api-reference at an exact version
(by default the one already there, so that a run without changes writes the same bytes).
npm compares each download with the integrity its registry publishes.

  --check  change nothing, need no network: compare the file with the checksum beside it;
           exit 1 when they differ
  --help   this text

To update: node scripts/vendor-scalar.ts 1.73.0, then run the tests of test/http/docs-page.test.ts,
look at /docs in a light and a dark scheme, and commit vendor/scalar/ as one change.`

const folder = new URL('../vendor/scalar/', import.meta.url)
const release = z.object({
  package: z.string(),
  version: z.string(),
  packageIntegrity: z.string(),
  fileIntegrity: z.string(),
})
const packed = z.tuple([z.object({ filename: z.string(), integrity: z.string() })])
const manifest = z.object({ license: z.literal('MIT'), dependencies: z.record(z.string(), z.string()) })
const exact = /^\d+\.\d+\.\d+$/
const run = promisify(execFile)

const digest = (algorithm: 'sha256' | 'sha512', bytes: Uint8Array, encoding: 'hex' | 'base64') =>
  createHash(algorithm).update(bytes).digest(encoding)

/** As in npm's lock files and the `integrity` attribute of HTML (W3C Subresource Integrity). */
const integrityOf = (bytes: Uint8Array) => `sha512-${digest('sha512', bytes, 'base64')}`

const readRelease = async () =>
  release.parse(JSON.parse(await readFile(new URL('release.json', folder), 'utf8')))

/** Downloads `name@version` into `directory` and unpacks it there; gives the folder and the package's integrity. */
async function unpack(name: string, version: string, directory: string) {
  if (!exact.test(version)) throw new Error(`${name}: "${version}" is not an exact version such as 1.72.1`)
  const { stdout } = await run('npm', ['pack', `${name}@${version}`, '--json', '--ignore-scripts'], {
    cwd: directory,
    maxBuffer: 64 * 1024 * 1024,
  })
  const [{ filename, integrity }] = packed.parse(JSON.parse(stdout))
  const tarball = join(directory, filename)
  const actual = `sha512-${digest('sha512', await readFile(tarball), 'base64')}`
  if (actual !== integrity)
    throw new Error(`${name}: the download does not match npm's integrity ${integrity}`)
  const target = await mkdtemp(join(directory, 'unpacked-'))
  await run('tar', ['-xzf', tarball, '-C', target, '--strip-components=1'])
  return { path: target, integrity }
}

async function vendor(version: string) {
  const directory = await mkdtemp(join(tmpdir(), 'vendor-scalar-'))
  try {
    const scalar = await unpack('@scalar/api-reference', version, directory)
    const { dependencies } = manifest.parse(
      JSON.parse(await readFile(join(scalar.path, 'package.json'), 'utf8')),
    )
    // The package names its licence but does not carry the text; its sibling of the same repository does.
    const sibling = await unpack('@scalar/types', dependencies['@scalar/types'] ?? 'none', directory)
    const script = await readFile(join(scalar.path, 'dist/browser/standalone.js'))
    const licence = await readFile(join(sibling.path, 'LICENSE'))
    const facts = {
      package: '@scalar/api-reference',
      version,
      packageIntegrity: scalar.integrity,
      fileIntegrity: integrityOf(script),
    }
    await mkdir(folder, { recursive: true })
    await writeFile(new URL('standalone.js', folder), script)
    await writeFile(new URL('LICENSE', folder), licence)
    await writeFile(new URL('release.json', folder), `${JSON.stringify(facts, null, 2)}\n`)
    // A converted line ending would change the checksum, and nobody reads a diff of a minified file.
    await writeFile(new URL('.gitattributes', folder), 'standalone.js -text -diff linguist-vendored\n')
    await writeFile(new URL('README.md', folder), readme(facts, script))
    console.log(`vendor/scalar: ${facts.package} ${version}, ${script.byteLength} bytes`)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function readme(facts: z.infer<typeof release>, script: Uint8Array) {
  return `# Scalar API reference, vendored

The page behind \`/docs\`. Written by \`scripts/vendor-scalar.ts\`; nothing here is edited by hand.

| | |
|---|---|
| package | \`${facts.package}\` ${facts.version}, its file \`dist/browser/standalone.js\` |
| integrity of the package on npm | \`${facts.packageIntegrity}\` |
| size of \`standalone.js\` | ${script.byteLength.toLocaleString('en')} bytes |
| SHA-256 of \`standalone.js\` | \`${digest('sha256', script, 'hex')}\` |
| SHA-512 of \`standalone.js\` | \`${digest('sha512', script, 'hex')}\` |
| licence | MIT, in \`LICENSE\` |

\`release.json\` says the same to the server: the version is part of the script's URL and the SHA-512 is the
\`integrity\` the browser demands, so a changed file does not run.

- Compare the file with its checksum, offline: \`node scripts/vendor-scalar.ts --check\`
- Update: \`node scripts/vendor-scalar.ts <version>\`, run \`test/http/docs-page.test.ts\`, look at \`/docs\`, commit.
`
}

async function check() {
  const { version, fileIntegrity } = await readRelease()
  const actual = integrityOf(await readFile(new URL('standalone.js', folder)))
  if (actual === fileIntegrity)
    return console.log(`vendor/scalar: standalone.js is ${version}, checksum right`)
  console.error('vendor/scalar: standalone.js is not the file release.json describes.')
  console.error('Restore it from git, or fetch it again: node scripts/vendor-scalar.ts')
  process.exitCode = 1
}

const { values, positionals } = parseArgs({
  options: { check: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  allowPositionals: true,
})
if (values.help) console.log(usage)
else if (values.check) await check()
else await vendor(positionals[0] ?? (await readRelease()).version)
