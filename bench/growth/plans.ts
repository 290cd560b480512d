import type pg from 'pg'
import { z } from 'zod'
import { batchLimits, enter } from '../../src/database/batch/batch.ts'
import { taskQuotas } from '../../src/tasks/quotas.ts'
import type { Caller } from './data.ts'
import type { Operation } from './operations.ts'
import { storageQuotaBytes, taskQuota } from './server.ts'

/** What the server looks at for one operation: pages of 8 kB, by the executor, without what triggers look at. */
export type Looked = { readonly pages: number; readonly plan: string }

const Explained = z.array(
  z.object({
    'QUERY PLAN': z.array(
      z.object({ Plan: z.object({ 'Shared Hit Blocks': z.number(), 'Shared Read Blocks': z.number() }) }),
    ),
  }),
)
const Lines = z.array(z.object({ 'QUERY PLAN': z.string() }))

/** Runs an operation's statement as its callers do, under the policies, and takes back what it changed. */
export async function lookedAt(
  client: pg.Client,
  operation: Operation,
  callers: readonly Caller[],
): Promise<Looked> {
  const pages: number[] = []
  for (const caller of callers.slice(0, 20)) {
    const rows = await explained(client, operation, caller, 'analyze, buffers, format json')
    const [first] = Explained.parse(rows)
    const plan = first?.['QUERY PLAN'][0]?.Plan
    pages.push((plan?.['Shared Hit Blocks'] ?? 0) + (plan?.['Shared Read Blocks'] ?? 0))
  }
  const [caller] = callers
  if (caller === undefined) throw new Error('nobody calls')
  const lines = Lines.parse(await explained(client, operation, caller, 'costs off'))
  return {
    pages: pages.toSorted((a, b) => a - b)[pages.length >> 1] ?? 0,
    plan: lines.map((line) => line['QUERY PLAN']).join('\n'),
  }
}

/** The plan is the one for any values, which Postgres keeps for a statement that is prepared once and run often. */
async function explained(
  client: pg.Client,
  operation: Operation,
  caller: Caller,
  how: string,
): Promise<unknown[]> {
  const { text, values } = operation.statement(caller)
  await client.query('begin')
  try {
    await client.query(enter({ ...batchLimits, quotas: taskQuotas({ taskQuota, storageQuotaBytes }) }), [
      caller.owner,
    ])
    await client.query('set local plan_cache_mode = force_generic_plan')
    await client.query(`prepare looked_at as ${text}`)
    const literals = values.map((value) => (value === null ? 'null' : client.escapeLiteral(String(value))))
    const { rows } = await client.query(`explain (${how}) execute looked_at (${literals.join(', ')})`)
    return rows
  } finally {
    await client.query('rollback')
    await client.query('deallocate all')
  }
}
