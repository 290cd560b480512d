import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StartError } from '../../errors.ts'

export type FolderLock = { release(): Promise<void> }

/**
 * Gives this process the only access to a folder, until it releases the lock or dies in any way.
 * The lock is a listening socket, which the operating system removes by itself. PGlite has no such lock, and two of
 * them on one folder silently diverge.
 *
 * @throws StartError 69 when another process holds the folder.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const address = lockAddress(folder)
  const server = createServer((socket) => socket.destroy()).unref()
  if (!(await listens(server, address))) {
    const abandoned = address.startsWith('/') && !(await answers(address))
    if (abandoned) await rm(address, { force: true })
    if (!abandoned || !(await listens(server, address)))
      throw new StartError(
        'Another Docket is using DATA_DIR: stop it, or give this one a DATA_DIR of its own.',
        69,
      )
  }
  return {
    release: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

/** The name comes from the folder itself, not from one of its paths. Linux and Windows need no file for it. */
function lockAddress(folder: string): string {
  const { dev, ino } = statSync(folder, { bigint: true })
  const name = `docket-${createHash('sha256').update(`${dev}:${ino}`).digest('hex').slice(0, 32)}`
  if (process.platform === 'linux') return `\0${name}`
  if (process.platform === 'win32') return `\\\\.\\pipe\\${name}`
  return join(tmpdir(), `${name}.sock`)
}

async function listens(server: ReturnType<typeof createServer>, address: string): Promise<boolean> {
  try {
    server.listen(address)
    await once(server, 'listening')
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return false
    throw error
  }
}

async function answers(address: string): Promise<boolean> {
  const socket = connect(address)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
