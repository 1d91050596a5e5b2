import { defineConfig } from 'vitest/config'

/** Units, contracts and conformance run in process; `e2e` starts real processes and takes one file at a time. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'fast',
          include: ['src/**/*.test.ts', 'test/{contract,conformance,support}/**/*.test.ts', 'test/*.test.ts'],
          testTimeout: 20_000,
        },
      },
      { test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 180_000, hookTimeout: 180_000, fileParallelism: false } },
    ],
  },
})
