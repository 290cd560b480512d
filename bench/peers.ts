import { createHash } from 'node:crypto'
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Commands, isThere } from './commands.ts'
import { type Peer, type PeerName, peerNames } from './peer.ts'
import { peer as bareNode } from './peers/bare-node/peer.ts'
import { peer as docketAwaited } from './peers/docket-awaited/peer.ts'
import { peer as fastapi } from './peers/fastapi/peer.ts'
import { peer as fastifyPrisma } from './peers/fastify-prisma/peer.ts'
import { peer as honoDrizzle } from './peers/hono-drizzle/peer.ts'
import { peer as pocketbase } from './peers/pocketbase/peer.ts'

const byName: Readonly<Record<PeerName, Peer>> = {
  'bare-node': bareNode,
  'docket-awaited': docketAwaited,
  'hono-drizzle': honoDrizzle,
  'fastify-prisma': fastifyPrisma,
  fastapi,
  pocketbase,
}

/** In the order in which the report has them. */
export const peers: readonly Peer[] = peerNames.map((name) => byName[name])

const sources = join(import.meta.dirname, 'peers')

/** Outside of `bench`, so that nobody takes what is installed for the project's own. It tells Git to ignore it. */
const installations = join(import.meta.dirname, '..', '.bench')

/**
 * Copies a peer to where it runs and installs it there, unless that was done before from the same manifests.
 * @returns the folder, or why there is none.
 */
export async function installed(
  commands: Commands,
  peer: Peer,
  tell: (step: string) => void,
): Promise<{ folder: string } | { missing: string }> {
  for (const program of peer.needs)
    if ((await isThere(commands, program, '--version', /()/)) === undefined)
      return { missing: `${program} is not installed.` }
  await mkdir(installations, { recursive: true })
  await writeFile(join(installations, '.gitignore'), '*\n')
  const folder = join(installations, peer.name)
  const done = join(folder, '.installed')
  const digest = await digestOf(peer)
  const before = await readFile(done, 'utf8').catch(() => '')
  try {
    if (before !== digest) await rm(folder, { recursive: true, force: true })
    await cp(join(sources, peer.name), folder, { recursive: true })
    if (before !== digest) {
      if (peer.manifests.length > 0) tell(`installing ${peer.name} (once)`)
      await peer.install(commands, folder)
      await writeFile(done, digest)
    }
    return { folder }
  } catch (error) {
    commands.signal.throwIfAborted()
    const reason = error instanceof Error ? error.message : String(error)
    return { missing: `it could not be installed: ${reason.trim()}` }
  }
}

async function digestOf(peer: Peer): Promise<string> {
  const hash = createHash('sha256')
  for (const file of peer.manifests) hash.update(await readFile(join(sources, peer.name, file)))
  return hash.digest('hex')
}
