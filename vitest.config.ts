import { fileURLToPath } from 'node:url'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

const exclude = ['**/node_modules/**', '**/dist/**', '**/.tidemark/**', '**/.wrangler/**']
const suffixed = ['postgres', 'pglite', 'workerd'].map((suffix) => `**/*.${suffix}.test.{ts,tsx}`)
const withPostgres = {
  globalSetup: ['./testing/postgres/global-setup.ts'],
  // It ends what hangs, on the slowest machine too; nothing is measured against it.
  testTimeout: 300_000,
  hookTimeout: 300_000,
}

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** One project per environment; the suffix of a test file names it. Groups run one after the other: two cores. */
export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['**/*.test.{ts,tsx}'],
          exclude: [...exclude, ...suffixed, 'e2e/**'],
          // Loading each file's modules anew would take longer than the tests.
          isolate: false,
          testTimeout: 30_000,
        },
      },
      {
        // What examples and pages import of the package is its source, not a second copy of it in dist/.
        resolve: {
          alias: [
            { find: 'tidemark/db', replacement: source('./db/index.ts') },
            { find: /^tidemark\/(react|tanstack|testing)$/, replacement: source('./client/$1/index.ts') },
          ],
        },
        test: {
          name: 'pglite',
          include: ['**/*.pglite.test.{ts,tsx}'],
          exclude,
          // PGlite's modules are compiled once for all files, not anew for each.
          isolate: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        // The example's modules beside the sources, not beside a second copy of them in dist/.
        resolve: { alias: { 'tidemark/db': source('./db/index.ts') } },
        test: {
          name: 'postgres',
          include: ['**/*.postgres.test.ts'],
          exclude,
          isolate: false,
          sequence: { groupOrder: 1 },
          ...withPostgres,
        },
      },
      {
        plugins: [cloudflareTest({ wrangler: { configPath: './testing/workerd/wrangler.toml' } })],
        test: {
          name: 'workerd',
          include: ['**/*.workerd.test.ts'],
          exclude,
          sequence: { groupOrder: 2 },
          ...withPostgres,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          exclude,
          // Each brings up a system of its own, and waits for it half of the time.
          maxWorkers: 3,
          sequence: { groupOrder: 3 },
          testTimeout: 1_200_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
})
