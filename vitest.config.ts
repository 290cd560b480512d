import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/**
 * Three kinds of test file, told apart by name:
 * `*.http.test.ts` speaks HTTP to the real app and runs twice, on PGlite and on a real Postgres;
 * `*.postgres.test.ts` needs what only a real Postgres has (many connections, pipelining, roles);
 * any other `*.test.ts` needs no shared database.
 */
const onEngine = { include: ['test/**/*.http.test.ts'], testTimeout: 20_000, hookTimeout: 60_000 }

export default defineConfig({
  test: {
    // The tests wait as much as they work: two files at a time even where there are two cores.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      {
        test: {
          name: 'plain',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.http.test.ts', 'test/**/*.postgres.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      { test: { ...onEngine, name: 'pglite', env: { TEST_ENGINE: 'pglite' } } },
      {
        // The loops over all operations once more, with a resource that only tests have.
        test: {
          ...onEngine,
          name: 'toy',
          include: [
            'test/contract/operations.http.test.ts',
            'test/isolation/matrix.http.test.ts',
            'test/database/round-trips.postgres.test.ts',
          ],
          env: { TEST_ENGINE: 'postgres', TEST_TOY: 'true' },
          globalSetup: ['test/support/real-postgres.ts'],
        },
      },
      {
        test: {
          ...onEngine,
          name: 'postgres',
          include: [...onEngine.include, 'test/**/*.postgres.test.ts'],
          env: { TEST_ENGINE: 'postgres' },
          globalSetup: ['test/support/real-postgres.ts'],
        },
      },
    ],
  },
})
