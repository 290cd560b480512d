import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, symlink } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { cleanUp, type Docket, newFolder, root, run, startDocket } from '../support/process.ts'

// Processes start slowly on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

/** A fenced block of a document. `notRun` is the reason of the comment before it: `<!-- not run: reason -->`. */
type Block = { readonly language: string; readonly text: string; readonly notRun: string | undefined }

const blocksOf = (document: string): Block[] =>
  [
    ...readFileSync(join(root, document), 'utf8').matchAll(
      /(?:^<!-- not run: (.+) -->\n)?^```(\w*)\n([\s\S]*?)^```$/gm,
    ),
  ].map(([, notRun, language = '', text = '']) => ({ language, text, notRun }))

const documents = ['README.md', 'docs/GUIDE.md']
/** A machine without Python skips its examples. */
const languages = spawnSync('python3', ['--version']).status === 0 ? ['sh', 'python'] : ['sh']
const isCommand = ({ language, notRun }: Block) => languages.includes(language) && notRun === undefined

let server: Docket
let dataDir: string
beforeAll(async () => {
  dataDir = join(await newFolder(), '.data')
  server = await startDocket({ DATA_DIR: dataDir })
})
afterAll(cleanUp)

/** A folder in which `npx docket` is ours, and nobody's `.env` takes part. */
async function readersFolder(): Promise<string> {
  const folder = await newFolder()
  const bin = join(folder, 'node_modules/.bin')
  await mkdir(bin, { recursive: true })
  await symlink(join(root, 'bin/docket.js'), join(bin, 'docket'))
  return folder
}

/** The text as it reads for the server of this test, which has another port. */
const here = (text: string) => text.replaceAll('http://127.0.0.1:8000', server.url)

test('the blocks that no test runs are these', () => {
  const skipped = documents.flatMap(blocksOf).filter((block) => block.notRun !== undefined)
  expect(skipped.map(({ notRun, text }) => [notRun, text.trim().split('\n').at(-1)?.split('  ')[0]])).toEqual(
    [
      ['it installs packages and serves until it is stopped', 'npm ci && npm start'],
      ['it needs a Neon database', 'npx docket migrate && npx docket start'],
      ['it changes your app', 'npx docket migrate'],
      [
        'it needs your app',
        'BETTER_AUTH_URL=http://localhost:3000 TRUSTED_PROXIES=127.0.0.1,::1 npx docket start',
      ],
      [
        'it downloads openapi-typescript',
        'npx openapi-typescript node_modules/docket/openapi.json -o lib/docket.d.ts',
      ],
    ],
  )
})

test('the output in README.md is what a first start prints', async () => {
  await server.says(/tokens {4}/)
  const shown = blocksOf('README.md').find(({ language }) => language === '')?.text ?? ''
  for (const line of here(shown).replaceAll('./.data', dataDir).split('\n'))
    expect(server.stderr()).toContain(`${line}\n`)
})

test.each(documents)('every command in %s works, and answers what stands below it', async (document) => {
  const blocks = blocksOf(document)
  const commands = blocks.filter(isCommand)
  expect(commands).not.toEqual([])
  // One shell, as a reader has one: a block may use the variables of those before it.
  const script = commands.map(({ language, text }) =>
    language === 'sh' ? text : `python3 - <<'PYTHON'\n${text}PYTHON\n`,
  )
  const end = '\n--- end of block ---\n'
  const shell = run('sh', ['-ec', here(script.join(`printf '%s' '${end}'\n`))], {
    folder: await readersFolder(),
    environment: {
      PATH: [join(root, 'node_modules/.bin'), process.env.PATH].join(delimiter),
      PORT: new URL(server.url).port,
      DATA_DIR: dataDir,
      NPM_CONFIG_UPDATE_NOTIFIER: 'false',
    },
  })
  expect(await shell.ended, shell.stderr()).toEqual({ code: 0, signal: null })
  const outputs = shell.stdout().split(end)
  for (const [index, command] of commands.entries()) {
    const below = blocks[blocks.indexOf(command) + 1]
    const output = outputs[index] ?? ''
    if (below?.language === 'json') expect(constant(output)).toEqual(constant(here(below.text)))
    else expect(output).not.toContain('"code":')
  }
})

/** JSON without the values that differ from run to run. */
function constant(text: string): unknown {
  const drawn = ['id', 'owner_id', 'created_at', 'updated_at', 'request_id']
  return JSON.parse(text, (key, value) => (drawn.includes(key) ? typeof value : value))
}
