import { loadConfig, readEnvironment } from '../config.ts'
import { driverFor } from '../database/drivers/driver.ts'
import { embeddedSession } from '../database/drivers/session.ts'
import { openEmbedded } from '../database/embedded/embedded.ts'
import { migratePostgres } from '../database/open.ts'
import { type Migrated, migrate } from '../database/setup/migrate.ts'

/** Applies and restores missing parts, and reports them. It also names everything that differs from the migrations. */
export async function runMigrate(): Promise<number> {
  const { config, secrets } = loadConfig(readEnvironment())
  const url = secrets.databaseUrl?.reveal()
  const { applied, restored, differences } =
    url === undefined || config.database.kind === 'embedded'
      ? await migrateEmbedded(config.dataDir)
      : await migratePostgres({
          url,
          migrationUrl: secrets.migrationUrl?.reveal() ?? url,
          driver: driverFor(config.database.driver),
        })
  const done = [
    ...(applied.length === 0 ? [] : [`Applied ${applied.join(', ')}.`]),
    ...restored.map(asSentence),
  ]
  const said = done.length === 0 ? ['Nothing to do: the database is up to date.'] : done
  process.stdout.write(
    process.stdout.isTTY
      ? [...said, ...differences, ''].join('\n')
      : `${JSON.stringify({ applied, restored, differences })}\n`,
  )
  return 0
}

const asSentence = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`

async function migrateEmbedded(dataDir: string): Promise<Migrated> {
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
