import { join } from 'node:path'
import type { Peer } from '../../peer.ts'
import { httpRequestsAt, idPrefixOfTasks, ownerName } from '../../workload.ts'

/** What Docket's batches cost with nothing around them but Node's HTTP server. */
export const peer: Peer = {
  name: 'bare-node',
  needs: [],
  manifests: [],
  install: async () => undefined,
  forms: [
    async ({ databaseUrl, databaseConnections, port, folder }) => ({
      name: 'bare node:http',
      note: 'the same batches over the same connections; no tokens, no validation, no log',
      command: {
        program: process.execPath,
        parameters: [join(import.meta.dirname, 'server.ts')],
        cwd: folder,
        env: {
          NODE_ENV: 'production',
          PORT: String(port),
          DATABASE_URL: databaseUrl,
          DATABASE_CONNECTIONS: String(databaseConnections),
        },
      },
      readyPath: '/health',
      requests: httpRequestsAt('/tasks'),
      ownerName,
      idPrefix: idPrefixOfTasks,
      tokenOf: async (owner) => ownerName(owner),
      withoutToken: undefined,
    }),
  ],
}
