import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import type { HttpApi } from '../../http-api.ts'
import type { Peer } from '../../peer.ts'
import type { Site } from '../../site.ts'
import { httpRequestsAt, newTask } from '../../workload.ts'

const version = 'v0.39.0'
const records = '/api/collections/tasks/records'
const administrator = { identity: 'admin@example.com', password: randomBytes(16).toString('hex') }
const tokenSeconds = 86_400

const Token = z.object({ token: z.string() })

/** PocketBase, Go and SQLite in one program: a collection with an owner rule, users and tokens of its own. */
export const peer: Peer = {
  name: 'pocketbase',
  needs: ['go'],
  manifests: ['peer.ts'],
  install: async (commands, folder) => {
    const env = { ...process.env, GOBIN: folder }
    const program = `github.com/pocketbase/pocketbase/examples/base@${version}`
    await commands.run('go', ['install', program], { cwd: folder, env })
  },
  forms: [form],
}

async function form(site: Site, installed: string): Promise<HttpApi> {
  const program = join(installed, 'base')
  const cwd = join(site.folder, 'pocketbase')
  await cp(join(installed, 'pb_migrations'), join(cwd, 'pb_migrations'), { recursive: true })
  const { identity, password } = administrator
  await promisify(execFile)(program, ['superuser', 'upsert', identity, password], { cwd })

  let signedIn: Promise<string> | undefined
  const requests = httpRequestsAt(records)
  // Without `skipTotal` it would count all tasks of the owner for each list.
  const list = (limit: number) => `${records}?perPage=${limit}&sort=-created_at,-id&skipTotal=1`
  return {
    name: 'PocketBase',
    note: `${version} (Go, SQLite in WAL mode, which does not wait for the disk at a commit), a collection with an owner rule`,
    command: {
      program,
      parameters: ['serve', '--http', `127.0.0.1:${site.port}`],
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
