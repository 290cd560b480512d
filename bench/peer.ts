import type { Commands } from './commands.ts'
import type { HttpApi } from './http-api.ts'
import type { Site } from './site.ts'

/** The folders below `peers`, in the order in which the report has them. */
export const peerNames = [
  'bare-node',
  'docket-awaited',
  'hono-drizzle',
  'fastify-prisma',
  'fastapi',
  'pocketbase',
] as const
export type PeerName = (typeof peerNames)[number]

/** Another way to the same answers, in a folder of its own below `peers`. */
export type Peer = {
  readonly name: PeerName
  /** What it takes besides Node, by the command that tells; without it there is no row. */
  readonly needs: readonly string[]
  /** The files that say what is to be installed; when one changes it is installed again. */
  readonly manifests: readonly string[]
  /** Makes it runnable in a folder that holds a copy of the peer's. Only package registries are asked. */
  readonly install: (commands: Commands, folder: string) => Promise<void>
  /** The forms it comes in, each a row of its own. `installed` is the folder of `install`. */
  readonly forms: readonly ((site: Site, installed: string) => Promise<HttpApi>)[]
}
