import { join } from 'node:path'
import { settings } from '../../docket.ts'
import type { Peer } from '../../peer.ts'
import { httpRequestsAt, idPrefixOfTasks, ownerName } from '../../workload.ts'

const poolSize = 16

/** What sending an owner batch in one round trip is worth. */
export const peer: Peer = {
  name: 'docket-awaited',
  needs: [],
  manifests: [],
  install: async () => undefined,
  forms: [
    async (site) => ({
      name: 'docket, awaited transaction',
      note: `the product with BEGIN, set_config, statement and COMMIT awaited one by one on ${poolSize} connections of pg`,
      command: {
        program: process.execPath,
        parameters: [join(import.meta.dirname, 'server.ts')],
        cwd: site.folder,
        env: { ...settings(site), POOL_SIZE: String(poolSize) },
      },
      readyPath: '/readyz',
      requests: httpRequestsAt('/api/v1/tasks'),
      ownerName,
      idPrefix: idPrefixOfTasks,
      tokenOf: site.tokenOf,
      withoutToken: 401,
    }),
  ],
}
