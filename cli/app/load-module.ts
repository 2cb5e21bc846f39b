import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { checkSync, type Sync } from '../../db/define-sync.ts'
import type { Query } from '../../db/query.ts'
import { TidemarkError } from '../../protocol/errors.ts'

/** A bundled CommonJS dependency may call `require` for what Node has built in. */
const REQUIRE_BANNER = `import { createRequire as tidemarkRequire } from 'node:module'; const require = tidemarkRequire(import.meta.url);`

/** Loads the `sync` an app's module exports. Throws `bad-input` for a module that fails or exports none, `misconfigured` for what it may not hold. */
export async function loadSync(path: string): Promise<Sync> {
  const { sync } = await importTypeScript(path)
  if (!isSync(sync)) {
    throw new TidemarkError(
      'bad-input',
      `${path} must export const sync = defineSync({ tables: … }), from tidemark/db.`,
    )
  }
  checkSync(sync)
  return sync
}

/** Loads the function a seed module exports by default. Throws `bad-input`. */
export async function loadSeed(path: string): Promise<(query: Query) => Promise<void>> {
  const { default: seed } = await importTypeScript(path)
  if (typeof seed !== 'function') {
    throw new TidemarkError('bad-input', `${path} must export default async function (query) { … }.`)
  }
  return async (query) => {
    await seed(query)
  }
}

/** Bundled first, so that it loads under every Node that runs us, whatever syntax and imports it has. */
async function importTypeScript(path: string): Promise<Record<string, unknown>> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-'))
  const outfile = join(folder, `${basename(path, '.ts')}.mjs`)
  try {
    await build({
      entryPoints: [path],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      banner: { js: REQUIRE_BANNER },
      sourcemap: 'inline',
      logLevel: 'silent',
    })
    return (await import(pathToFileURL(outfile).href)) as Record<string, unknown>
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new TidemarkError('bad-input', `${path} does not load: ${reason}`, { cause: error })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function isSync(value: unknown): value is Sync {
  return typeof value === 'object' && value !== null && 'tables' in value && typeof value.tables === 'object'
}
