import { defineConfig } from 'vitest/config'

/** `npm run test:faults`: minutes of breaking things, one after another, apart from `npm test`. */
export default defineConfig({
  test: {
    root: new URL('../../', import.meta.url).pathname,
    include: ['test/faults/**/*.faults.ts'],
    fileParallelism: false,
    reporters: ['verbose'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
})
