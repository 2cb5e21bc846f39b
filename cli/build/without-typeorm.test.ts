import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCommand } from '../../testing/cli/run-command.ts'
import { makeEntityApp, TRACKER_ENTITIES } from '../../testing/entities/entity-app.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TRACKER = join(ROOT, 'examples', 'tracker')
const app = makeEntityApp(TRACKER_ENTITIES, {
  'sync.ts':
    "import { defineSync } from 'tidemark/db'\nimport { tables } from './sync-tables.ts'\nexport const sync = defineSync({ tables })\n",
  'page.ts':
    "import { openReplica } from 'tidemark/client'\nimport { sync } from './sync.ts'\nexport const open = (options: object) => openReplica({ ...options, sync } as never)\n",
  'worker.ts':
    "import { createSyncWorker } from 'tidemark/workers'\nimport { sync } from './sync.ts'\nexport const served = createSyncWorker(sync, {} as never)\n",
})
beforeAll(async () => {
  expect(await runCommand(['build', app.folder])).toMatchObject({ code: 0, stderr: '' })
}, 60_000)
afterAll(() => app.remove())

/** Answers the modules of a bundle that belong to TypeORM, among how many. */
async function bundled(file: string, folder = app.folder): Promise<{ typeorm: string[]; count: number }> {
  const { metafile } = await build({
    entryPoints: [join(folder, file)],
    bundle: true,
    write: false,
    outdir: app.folder,
    format: 'esm',
    platform: /\bpage\b/.test(file) ? 'browser' : 'node',
    external: ['cloudflare:*', 'node:*', 'fs', 'path', 'crypto', 'module', 'worker_threads', 'url'],
    alias: {
      ...Object.fromEntries(
        ['db/entity', 'db', 'client', 'workers'].map((name) => [`tidemark/${name}`, join(ROOT, name, 'index.ts')]),
      ),
      'drizzle-orm': join(ROOT, 'node_modules/drizzle-orm'),
    },
    tsconfigRaw: { compilerOptions: { experimentalDecorators: true, jsx: 'react-jsx' } },
    nodePaths: [join(ROOT, 'node_modules')],
    metafile: true,
    logLevel: 'silent',
  })
  const inputs = Object.keys(metafile.inputs)
  return { typeorm: inputs.filter((path) => /typeorm|reflect-metadata|db\/entit/.test(path)), count: inputs.length }
}

test.each(['sync.ts', 'page.ts', 'worker.ts'])('CLI-R19 TypeORM is in no bundle of %s', async (file) => {
  const { typeorm, count } = await bundled(file)
  expect(typeorm).toEqual([])
  expect(count).toBeGreaterThan(20)
})

test('CLI-R19 the same look finds it in a bundle of the entities', async () => {
  expect((await bundled('entities.ts')).typeorm.length).toBeGreaterThan(0)
})

test.each(['sync.ts', 'worker.ts', 'seed.ts', 'page/main.tsx'])(
  'CLI-R19 nor is it in a bundle of the tracker’s %s',
  async (file) => {
    const { typeorm, count } = await bundled(file, TRACKER)
    expect(typeorm).toEqual([])
    expect(count).toBeGreaterThan(file === 'seed.ts' ? 5 : 20)
  },
)

test('CLI-R19 the tracker’s entities have it', async () => {
  expect((await bundled('entities.ts', TRACKER)).typeorm.length).toBeGreaterThan(10)
})
