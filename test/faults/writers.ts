import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { TokenIssuer } from '../support/token-issuer.ts'

/** What callers were told of their writes. Titles are unique, so a title that is there twice was written twice. */
export type Acknowledged = {
  /** By title, the id under which it was acknowledged. */
  readonly tasks: ReadonlyMap<string, string>
  /** Answers that were no yes, or none at all. */
  readonly failures: () => number
}

type Asked = { token: string; title: string; id?: string }

export type Writers = Acknowledged & {
  readonly owners: readonly { name: string; token: string }[]
  /** Resolves when so many are acknowledged in all. */
  reach(count: number): Promise<void>
  /** Ends when each writer has finished what it was about. */
  stop(): Promise<void>
}

/**
 * Callers who write one task after another, as apps do: a create by the client's own id is repeated until it is
 * acknowledged, and a create without is given up when it fails.
 */
export async function startWriters(options: {
  url: () => string
  issuer: TokenIssuer
  count: number
}): Promise<Writers> {
  const tasks = new Map<string, string>()
  let failures = 0
  let writing = true
  let heard = Promise.withResolvers<void>()

  const ask = async ({ token, title, id }: Asked): Promise<string | undefined> => {
    try {
      const response = await fetch(`${options.url()}/api/v1/tasks${id === undefined ? '' : `/${id}`}`, {
        method: id === undefined ? 'POST' : 'PUT',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ title }),
        signal: AbortSignal.timeout(20_000),
      })
      const text = await response.text()
      if (response.status === 200 || response.status === 201) return String(JSON.parse(text).id)
      if (response.status !== 503) throw new Error(`${response.status} ${text}`)
    } catch (error) {
      if (error instanceof Error && /^\d/.test(error.message)) throw error
    }
    failures++
    return undefined
  }
  const acknowledge = (title: string, id: string) => {
    tasks.set(title, id)
    heard.resolve()
    heard = Promise.withResolvers()
  }
  const writer = async ({ name, token }: Writers['owners'][number]) => {
    for (let n = 0; writing; n++) {
      const title = `${name} ${n}`
      const own = n % 2 === 0 ? randomUUID() : undefined
      for (;;) {
        const id = await ask({ token, title, ...(own !== undefined && { id: own }) })
        if (id !== undefined) acknowledge(title, id)
        if (id !== undefined || own === undefined || !writing) break
        await sleep(20)
      }
      if (tasks.get(title) === undefined) await sleep(20)
    }
  }
  const exp = Math.floor(Date.now() / 1000) + 3_600
  const owners = await Promise.all(
    Array.from({ length: options.count }, async () => {
      const name = `writer-${randomUUID()}`
      return { name, token: await options.issuer.token({ sub: name, exp }) }
    }),
  )
  const failed = Promise.all(owners.map(writer)).then(() => undefined)
  return {
    owners,
    tasks,
    failures: () => failures,
    reach: async (count) => {
      while (tasks.size < count) await Promise.race([heard.promise, failed])
    },
    stop: async () => {
      writing = false
      await failed
    },
  }
}

export type Verdict = { readonly lost: number; readonly doubled: number }

/** Compares what was acknowledged with what is there. */
export function verdict(
  tasks: Acknowledged['tasks'],
  found: readonly { id: string; title: string }[],
): Verdict {
  const ids = new Map<string, string[]>()
  for (const { id, title } of found) ids.set(title, [...(ids.get(title) ?? []), id])
  return {
    lost: [...tasks].filter(([title, id]) => !ids.get(title)?.includes(id)).length,
    doubled: [...ids.values()].filter((each) => each.length > 1).length,
  }
}

/** Every task there is, read by an administrator. */
export async function everyTask(url: string): Promise<{ id: string; title: string }[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<{ id: string; title: string }>('select id, title from docket.tasks')).rows
  } finally {
    await client.end()
  }
}
