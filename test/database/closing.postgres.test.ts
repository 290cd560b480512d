import { pino } from 'pino'
import { expect, test } from 'vitest'
import { openPostgres } from '../../src/database/database.ts'
import { askOne } from '../support/ask.ts'
import { freshDatabase } from '../support/database.ts'
import { startNeonStandIn } from '../support/neon-stand-in.ts'
import { admin } from '../support/real-postgres.ts'
import { nap, outcome, until } from './gate.ts'

test.each(['postgres', 'neon-ws', 'neon-http'] as const)(
  'closing lets what is in flight finish: %s',
  async (driver) => {
    const postgres = await freshDatabase()
    const proxy = await startNeonStandIn()
    const log = pino({ level: 'silent' })
    const limits = { connections: 1 }
    const database = await openPostgres({ url: postgres.url, driver, statements: [nap], log, limits })
    const inFlight = outcome(askOne(database, 'ann', nap, { word: '0.3' }))
    const napping = () =>
      admin(
        postgres.url,
        "select pid from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()",
      )
    await until(async () => (await napping()).length === 1)
    await database.close()
    expect(await inFlight).toBe('')
    await proxy.close()
    await postgres.drop()
  },
)
