import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

const exclude = ['**/node_modules/**', '**/dist/**', '**/.tidemark/**', '**/.wrangler/**']
const suffixed = ['postgres', 'pglite', 'workerd'].map((suffix) => `**/*.${suffix}.test.ts`)
const postgres = './testing/postgres/global-setup.ts'

/** One project per environment; the suffix of a test file names it. */
export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      { test: { name: 'unit', include: ['**/*.test.ts'], exclude: [...exclude, ...suffixed, 'e2e/**'] } },
      {
        test: {
          name: 'postgres',
          include: ['**/*.postgres.test.ts'],
          exclude,
          globalSetup: [postgres],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: { name: 'pglite', include: ['**/*.pglite.test.ts'], exclude, testTimeout: 120_000, hookTimeout: 120_000 },
      },
      {
        plugins: [cloudflareTest({ wrangler: { configPath: './testing/workerd/wrangler.toml' } })],
        test: {
          name: 'workerd',
          include: ['**/*.workerd.test.ts'],
          exclude,
          globalSetup: [postgres],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          exclude,
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
})
