import { join } from 'node:path'
import { installNodePackages, nodeForm } from '../../node-peer.ts'
import type { Peer } from '../../peer.ts'

/** Fastify with Prisma, its queries compiled by Prisma's WebAssembly engine and sent by `pg`. */
export const peer: Peer = {
  name: 'fastify-prisma',
  needs: [],
  manifests: ['package.json', 'package-lock.json', 'schema.prisma'],
  install: async (commands, folder) => {
    await installNodePackages(commands, folder)
    // The engine that is named here makes migrations, and would be fetched from outside the registries; nor does
    // anybody have to be told of newer versions.
    const env = {
      PATH: process.env.PATH ?? '',
      PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
      CHECKPOINT_DISABLE: '1',
    }
    const prisma = join(folder, 'node_modules', 'prisma', 'build', 'index.js')
    await commands.run(process.execPath, [prisma, 'generate', '--schema', 'schema.prisma'], {
      cwd: folder,
      env,
    })
  },
  forms: [
    (site, installed) =>
      nodeForm(site, installed, {
        name: 'Fastify + Prisma + jose',
        program: 'server.js',
        note: (connections) => `one process, ${connections} connections, owner in the filter`,
      }),
  ],
}
