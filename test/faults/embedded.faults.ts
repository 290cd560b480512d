import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { cleanUp, newFolder, startDocket } from '../support/process.ts'
import { startTokenIssuer } from '../support/token-issuer.ts'
import { startWriters, verdict } from './writers.ts'

afterAll(cleanUp)

const kills = 10
const Tasks = z.array(z.object({ id: z.string(), title: z.string() }))

test('the embedded database, killed at random under writes: none lost, none twice, and the folder opens each time', {
  timeout: 300_000,
}, async () => {
  const issuer = await startTokenIssuer()
  onTestFinished(() => issuer.close())
  const environment = {
    DATA_DIR: await newFolder(),
    AUTH_JWKS_URL: issuer.url,
    AUTH_ISSUER: issuer.issuer,
    AUTH_AUDIENCE: issuer.audience,
    RATE_LIMIT: '0',
    RATE_LIMIT_ADDRESS: '0',
  }
  let api = await startDocket(environment)
  const writers = await startWriters({ url: () => api.url, issuer, count: 8 })
  for (let kill = 1; kill <= kills; kill++) {
    await writers.reach(writers.tasks.size + 20)
    await sleep(Math.random() * 500)
    api.kill('SIGKILL')
    await api.ended
    // Rejects when it does not come up.
    api = await startDocket(environment)
    process.stderr.write(
      `  ${kill}/${kills}: ${writers.tasks.size} acknowledged, ${writers.failures()} not\n`,
    )
  }
  await writers.reach(writers.tasks.size + 20)
  await writers.stop()
  expect(writers.failures()).toBeGreaterThan(0)

  const found = await Promise.all(writers.owners.map((owner) => everyTaskOf(owner.token)))
  expect(verdict(writers.tasks, found.flat())).toEqual({ lost: 0, doubled: 0 })

  async function everyTaskOf(token: string) {
    const all: z.output<typeof Tasks> = []
    for (;;) {
      const response = await fetch(`${api.url}/api/v1/tasks?limit=500&skip=${all.length}`, {
        headers: { authorization: `Bearer ${token}` },
      })
      const page = Tasks.parse(await response.json())
      all.push(...page)
      if (page.length < 500) return all
    }
  }
})
