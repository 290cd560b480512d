import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StartError } from '../errors.ts'

/**
 * The secret of the built-in issuer: made at the first start, readable by this user only, kept so that tokens and
 * sessions outlive a restart. Never used in production.
 *
 * @throws StartError 73 when the folder cannot be written.
 */
export async function developmentSecret(dataDir: string): Promise<string> {
  const file = join(dataDir, 'issuer-secret')
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 })
    await writeFile(file, randomBytes(32).toString('base64url'), { flag: 'wx', mode: 0o600 })
  } catch (error) {
    const there = error instanceof Error && 'code' in error && error.code === 'EEXIST'
    if (!there)
      throw new StartError(
        'DATA_DIR cannot be written: make the folder writable for this user, or choose another.',
        73,
        error,
      )
  }
  return readFile(file, 'utf8')
}
