import { loadConfig, readEnvironment } from '../config.ts'
import { driverFor } from '../database/drivers/driver.ts'
import { openEmbedded } from '../database/embedded/embedded.ts'
import { migratePostgres } from '../database/open.ts'
import { migrate } from '../database/setup/migrate.ts'
import { embeddedSession } from '../database/setup/session.ts'

/** Applies what is missing and says what that was. */
export async function runMigrate(): Promise<number> {
  const { config, secrets } = loadConfig(readEnvironment())
  const url = secrets.databaseUrl?.reveal()
  const applied =
    url === undefined || config.database.kind === 'embedded'
      ? await migrateEmbedded(config.dataDir)
      : await migratePostgres({
          url,
          migrationUrl: secrets.migrationUrl?.reveal() ?? url,
          driver: driverFor(config.database.driver),
        })
  const said =
    applied.length === 0 ? 'Nothing to do: the database is up to date.' : `Applied ${applied.join(', ')}.`
  process.stdout.write(process.stdout.isTTY ? `${said}\n` : `${JSON.stringify({ applied })}\n`)
  return 0
}

async function migrateEmbedded(dataDir: string): Promise<string[]> {
  const onFirstStart = () => {
    process.stderr.write(`Making the embedded database in ${dataDir} (once, a few seconds) ...\n`)
  }
  const embedded = await openEmbedded(dataDir, onFirstStart)
  try {
    return await migrate(embeddedSession(embedded.pglite))
  } finally {
    await embedded.close()
  }
}
