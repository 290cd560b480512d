import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import type { HttpApi } from '../../http-api.ts'
import type { Peer } from '../../peer.ts'
import type { Site } from '../../site.ts'
import { httpRequestsAt, newTask } from '../../workload.ts'

const records = '/api/collections/tasks/records'
const administrator = { identity: 'admin@example.com', password: randomBytes(16).toString('hex') }
const tokenSeconds = 86_400

const Token = z.object({ token: z.string() })

/** PocketBase, Go and SQLite in one program: a collection with an owner rule, users and tokens of its own. */
export const peer: Peer = {
  name: 'pocketbase',
  needs: ['go'],
  manifests: ['module.txt'],
  install: async (commands, folder) => {
    const env = { ...process.env, GOBIN: folder }
    await commands.run('go', ['install', await moduleOf(folder)], { cwd: folder, env })
  },
  forms: [form],
}

/** What `go install` takes, version and all. */
async function moduleOf(folder: string): Promise<string> {
  return (await readFile(join(folder, 'module.txt'), 'utf8')).trim()
}

async function form(site: Site, installed: string): Promise<HttpApi> {
  const program = join(installed, 'base')
  const cwd = join(site.folder, 'pocketbase')
  await cp(join(installed, 'pb_migrations'), join(cwd, 'pb_migrations'), { recursive: true })
  const { identity, password } = administrator
  // Left to itself it keeps its data beside the program, from one run to the next.
  const folders = [`--dir=${join(cwd, 'pb_data')}`, `--migrationsDir=${join(cwd, 'pb_migrations')}`]
  await promisify(execFile)(program, ['superuser', 'upsert', identity, password, ...folders], { cwd })

  let signedIn: Promise<string> | undefined
  const requests = httpRequestsAt(records)
  // Without `skipTotal` it would count all tasks of the owner for each list.
  const list = (limit: number) => `${records}?perPage=${limit}&sort=-created_at,-id&skipTotal=1`
  return {
    name: 'PocketBase',
    note: `${(await moduleOf(installed)).split('@')[1]} (Go, SQLite in WAL mode, which does not wait for the disk at a commit), a collection with an owner rule`,
    command: {
      program,
      parameters: ['serve', '--http', `127.0.0.1:${site.port}`, ...folders],
      cwd,
      env: {},
    },
    readyPath: '/api/health',
    requests: {
      ...requests,
      list20: { method: 'GET', path: list(20) },
      list100: { method: 'GET', path: list(100) },
      create: { method: 'POST', path: records, body: JSON.stringify({ ...newTask, owner_id: '{owner}' }) },
    },
    ownerName,
    idPrefix: 'task00000',
    tokenOf: async (owner, origin) => {
      signedIn ??= post(`${origin}/api/collections/_superusers/auth-with-password`, administrator)
      const impersonate = `${origin}/api/collections/users/impersonate/${ownerName(owner)}`
      return post(impersonate, { duration: tokenSeconds }, await signedIn)
    },
    // The rule finds nothing for nobody.
    withoutToken: 404,
  }
}

const ownerName = (owner: number) => `owner${String(owner).padStart(10, '0')}`

async function post(url: string, body: object, token = ''): Promise<string> {
  const headers = { 'content-type': 'application/json', authorization: token }
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${text}`)
  return Token.parse(JSON.parse(text)).token
}
