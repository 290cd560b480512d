import { existsSync } from 'node:fs'
import { chmod, mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { PGlite } from '@electric-sql/pglite'
import { parse } from 'pg-protocol'
import type { BackendMessage } from 'pg-protocol/dist/messages.js'
import { loadPglite } from '../../config/optional-packages.ts'
import { StartError } from '../../errors.ts'
import { afterEnter, BatchQuery, encodeNamed, type Results } from '../batch/batch.ts'
import type { Engine } from '../batch/engine.ts'
import { comparison, type ProtectionWatch } from '../protection/watch.ts'
import { type FolderLock, lockFolder } from './folder-lock.ts'

export const unwritableFolder =
  'DATA_DIR cannot be written: make the folder writable for this user, or choose another.'

export type Embedded = { readonly pglite: PGlite; readonly close: () => Promise<void> }

/**
 * Opens the embedded Postgres in a folder. A second process on the same folder is refused.
 * The first start makes the database under another name and renames it when it is complete. An interrupted start
 * therefore leaves nothing that fails to open.
 * No other user of the machine can read or write the database, whatever the rights of `dataDir` are.
 *
 * @throws StartError 73 when the folder cannot be written or the database in it belongs to another user, 69 when
 *   another process has it, 78 without PGlite.
 */
export async function openEmbedded(dataDir: string, onFirstStart: () => void): Promise<Embedded> {
  // PGlite is loaded first, so that nothing is created where it is not installed.
  await loadPglite()
  const lock = await writable(dataDir, () => lockFolder(dataDir))
  try {
    const home = join(dataDir, 'postgres')
    if (!existsSync(home)) {
      onFirstStart()
      await writable(dataDir, () => initialise(dataDir, home))
    }
    // An earlier version left the folder's rights to the umask, and a copy may have any rights.
    await closeToOthers(home)
    return embedded(await reopen(home), lock)
  } catch (error) {
    await lock.release()
    throw error
  }
}

/** A database in memory, gone when it is closed. */
export async function openInMemory(): Promise<Embedded> {
  const { PGlite } = await loadPglite()
  return embedded(await PGlite.create())
}

function embedded(pglite: PGlite, lock?: FolderLock): Embedded {
  const close = async () => {
    // Waits for running work, because closing in the middle of a transaction would lose it.
    await pglite._runExclusiveTransaction(() => Promise.resolve())
    await pglite.close()
    await lock?.release()
  }
  return { pglite, close }
}

async function reopen(home: string): Promise<PGlite> {
  const { PGlite } = await loadPglite()
  try {
    return await PGlite.create({ dataDir: home })
  } catch (error) {
    throw new StartError(
      'The embedded database in DATA_DIR does not open: move the folder away to begin anew, or restore a copy of it.',
      73,
      error,
    )
  }
}

async function initialise(dataDir: string, home: string): Promise<void> {
  const { PGlite } = await loadPglite()
  const unfinished = join(dataDir, 'postgres.unfinished')
  await rm(unfinished, { recursive: true, force: true })
  // PGlite would create a folder that others can enter, with files that everybody may write.
  await mkdir(unfinished, { mode: 0o700 })
  const pglite = await PGlite.create({ dataDir: unfinished })
  await pglite.close()
  await rename(unfinished, home)
}

/** PGlite and Postgres leave their files open to others and rely on the rights of the folder. */
async function closeToOthers(home: string): Promise<void> {
  try {
    await chmod(home, 0o700)
  } catch (error) {
    throw new StartError(
      'The embedded database in DATA_DIR belongs to another user: make this user its owner, or choose another DATA_DIR.',
      73,
      error,
    )
  }
}

async function writable<T>(dataDir: string, work: () => Promise<T>): Promise<T> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 })
    return await work()
  } catch (error) {
    if (error instanceof StartError) throw error
    throw new StartError(unwritableFolder, 73, error)
  }
}

/**
 * The embedded database as an engine. It takes the same bytes as a connection, one batch at a time, because there
 * is only one session.
 * The built-in issuer shares this session. Each batch therefore takes the lock of PGlite's own queries.
 */
export async function embeddedEngine(
  { pglite, close }: Embedded,
  preparation: Buffer,
  watch: ProtectionWatch,
): Promise<Engine> {
  const exchange = (bytes: Buffer): Promise<Results> =>
    pglite._runExclusiveTransaction(async () => {
      const { promise, resolve, reject } = Promise.withResolvers<Results>()
      const query = new BatchQuery(bytes, (error, results) =>
        error === null ? resolve(results) : reject(error),
      )
      deliver(await pglite.execProtocolRaw(bytes), query)
      return promise
    })
  await exchange(preparation)
  watch.note({ row: (await exchange(comparison)).flat()[0] })
  return {
    run: async (batch) => afterEnter(await exchange(encodeNamed(batch))),
    reachable: () => !pglite.closed,
    isolated: () => watch.intact,
    close,
  }
}

function deliver(answer: Uint8Array, query: BatchQuery): void {
  let failed = false
  // The parser takes a stream. The whole response is already here.
  const source = {
    on: (event: string, listen: (chunk: Uint8Array) => void) =>
      event === 'data' && listen(Buffer.from(answer)),
  }
  void parse(source as unknown as NodeJS.ReadableStream, (message: BackendMessage) => {
    if (message.name === 'dataRow') query.handleDataRow(message as unknown as { fields: (string | null)[] })
    if (message.name === 'commandComplete') query.handleCommandComplete()
    if (message.name === 'error') {
      failed = true
      query.handleError(message)
    }
    if (message.name === 'readyForQuery' && !failed) query.handleReadyForQuery()
  })
}
