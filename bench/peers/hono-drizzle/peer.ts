import { installNodePackages, nodeForm } from '../../node-peer.ts'
import type { Peer } from '../../peer.ts'

/** Hono with Drizzle's `db.transaction` under the same policies, and `jose` for each request. */
export const peer: Peer = {
  name: 'hono-drizzle',
  needs: [],
  manifests: ['package.json', 'package-lock.json'],
  install: installNodePackages,
  forms: [
    (site, installed) =>
      nodeForm(site, installed, {
        name: 'Hono + Drizzle + jose',
        note: (connections) =>
          `one process, ${connections} connections, db.transaction with set_config under the same policies`,
      }),
  ],
}
