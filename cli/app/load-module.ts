import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'
import { checkSync, type Sync } from '../../db/define-sync.ts'
import type { Query } from '../../db/query.ts'
import { TidemarkError } from '../../protocol/errors.ts'
import { hashSource, type SourceHashes } from './source-hash.ts'

/** A bundled CommonJS dependency may call `require` for Node's built-in modules. */
const REQUIRE_BANNER = `import { createRequire as tidemarkRequire } from 'node:module'; const require = tidemarkRequire(import.meta.url);`

/**
 * Loads the `sync` that an app's module exports. Throws `bad-input` for a module that fails or exports none,
 * `misconfigured` for a faulty one.
 */
export async function loadSync(path: string, plugins: Plugin[] = []): Promise<Sync> {
  return (await loadSyncModule(path, plugins)).sync
}

export interface SyncModule {
  readonly sync: Sync
  /** A hash over the module and all it imports, which shows whether any of it has changed since. */
  readonly hash: string
  /** The app's own files among these modules. */
  readonly sources: SourceHashes
}

/** Loads the same, with the hashes that distinguish one state of its files from another. */
export async function loadSyncModule(path: string, plugins: Plugin[] = []): Promise<SyncModule> {
  const { exported, hash, sources } = await importTypeScript(path, { plugins })
  const { sync } = exported
  if (!isSync(sync)) {
    throw new TidemarkError(
      'bad-input',
      `${path} must export const sync = defineSync({ tables: … }), from tidemark/db.`,
    )
  }
  checkSync(sync)
  return { sync, hash, sources }
}

/** Loads the function that a seed module exports by default. Throws `bad-input`. */
export async function loadSeed(path: string): Promise<(query: Query) => Promise<void>> {
  const seed = (await importTypeScript(path)).exported.default
  if (typeof seed !== 'function') {
    throw new TidemarkError('bad-input', `${path} must export default async function (query) { … }.`)
  }
  return async (query) => {
    await seed(query)
  }
}

interface Imported extends Omit<SyncModule, 'sync'> {
  readonly exported: Record<string, unknown>
}

/** Settings of a module that needs some of its own. */
interface ImportOptions {
  readonly plugins?: Plugin[]
  /** True where it is read what classes are called, which a bundle may change. */
  readonly keepNames?: boolean
  /** Taken instead of the nearest tsconfig.json. */
  readonly tsconfig?: Readonly<Record<string, unknown>>
}

/**
 * Bundles a module before importing it, so that it loads under every supported Node, whatever syntax and imports it
 * has. Throws `bad-input` with what it threw as cause.
 */
export async function importTypeScript(
  path: string,
  { plugins, tsconfig, keepNames = false }: ImportOptions = {},
): Promise<Imported> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-'))
  const outfile = join(folder, `${basename(path, '.ts')}.mjs`)
  const tsconfigFile = join(folder, 'tsconfig.json')
  try {
    if (tsconfig) await writeFile(tsconfigFile, JSON.stringify(tsconfig))
    const { metafile } = await build({
      entryPoints: [path],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      banner: { js: REQUIRE_BANNER },
      sourcemap: 'inline',
      metafile: true,
      keepNames,
      logLevel: 'silent',
      ...(plugins ? { plugins } : {}),
      ...(tsconfig ? { tsconfig: tsconfigFile } : {}),
    })
    const hash = hashSource(await readFile(outfile, 'utf8'))
    const sources = await hashSources(Object.keys(metafile.inputs).map((file) => resolve(file)))
    return { exported: (await import(pathToFileURL(outfile).href)) as Record<string, unknown>, hash, sources }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new TidemarkError('bad-input', `${path} does not load: ${reason}`, { cause: error })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function hashSources(files: readonly string[]): Promise<SourceHashes> {
  const own = files.filter((file) => !file.includes('node_modules'))
  return Object.fromEntries(
    await Promise.all(own.map(async (file) => [file, hashSource(await readFile(file, 'utf8'))] as const)),
  )
}

function isSync(value: unknown): value is Sync {
  return typeof value === 'object' && value !== null && 'tables' in value && typeof value.tables === 'object'
}
