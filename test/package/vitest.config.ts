import { defineConfig } from 'vitest/config'

/** `npm run test:package`: minutes of installing, building and starting what is published, apart from `npm test`. */
export default defineConfig({
  test: {
    root: new URL('../../', import.meta.url).pathname,
    include: ['test/package/**/*.package.ts'],
    globalSetup: ['test/support/real-postgres.ts', 'test/package/tarball.ts'],
    fileParallelism: false,
    reporters: ['verbose'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
})
