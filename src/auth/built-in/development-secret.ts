import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StartError } from '../../errors.ts'

const fileIn = (dataDir: string) => join(dataDir, 'issuer-secret')

/**
 * The secret of the built-in issuer, made at the first start. Only this user can read it. It is kept so that tokens
 * and sessions outlive a restart. Never used in production.
 *
 * @throws StartError 73 when the folder cannot be written, or the secret in it belongs to another user.
 */
export async function developmentSecret(dataDir: string): Promise<string> {
  const file = fileIn(dataDir)
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 })
    if (!(await isMade(file, randomBytes(32).toString('base64url')))) await chmod(file, 0o600)
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new StartError(
      'DATA_DIR cannot be written: make the folder writable for this user, or choose another.',
      73,
      error,
    )
  }
}

/** Writes a file that only this user can read. False when the file exists already. */
async function isMade(file: string, text: string): Promise<boolean> {
  try {
    await writeFile(file, text, { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

/**
 * The secret that the server on this folder made. Makes nothing.
 *
 * @throws StartError 78 when there is none, or it cannot be read.
 */
export async function madeDevelopmentSecret(dataDir: string): Promise<string> {
  try {
    return await readFile(fileIn(dataDir), 'utf8')
  } catch (error) {
    throw new StartError(
      'DATA_DIR holds no readable secret of a built-in issuer: set it to the folder of the running server.',
      78,
      error,
    )
  }
}
