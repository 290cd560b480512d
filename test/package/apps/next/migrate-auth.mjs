/** What `npx auth migrate` does, by the Better Auth that is installed. */
import { getMigrations } from 'better-auth/db/migration'
import { auth } from './lib/auth.ts'

const { runMigrations } = await getMigrations(auth.options)
await runMigrations()
process.exit()
