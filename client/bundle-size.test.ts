import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** What only some replicas need, and at times: loaded in the background once a replica is ready. */
const SELDOM = ['client/replica/seldom-parts.ts', 'client/outbox/past.ts']
/** What an opening asks for where another version of the package made the database. */
const OWN_CODE = 'client/store/own-code-ddl.ts'
/** What no browser loads. */
const IN_NODE = ['client/store/lock-file.ts', 'client/store/folder-files.ts']
const LATER = [...SELDOM, OWN_CODE, ...IN_NODE]
/** The two ways to run, of which a page loads one. */
const SHARED = 'client/tabs/open-shared-replica.ts'
const OWN = ['client/open-own-replica.ts', 'client/store/open-database.ts']

interface Output {
  readonly entryPoint: string | null
  readonly gzipped: number
  readonly imports: readonly string[]
  /** The modules of which more than an empty shell is in it. */
  readonly modules: readonly string[]
}

/** Bundles an entry as a page's bundler would, PGlite and React aside, with a file for each part that is loaded by itself. */
async function bundled(entry: string): Promise<ReadonlyMap<string, Output>> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    outdir: 'bundled',
    bundle: true,
    splitting: true,
    minify: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'browser',
    external: ['@electric-sql/pglite', '@electric-sql/pglite/*', 'react'],
    logLevel: 'silent',
  })
  const outputs = Object.entries(metafile.outputs).map(([path, { entryPoint = null, imports, inputs }]) => {
    const file = outputFiles.find((candidate) => candidate.path.endsWith(path))
    const modules = Object.entries(inputs).flatMap(([name, { bytesInOutput }]) => (bytesInOutput > 200 ? [name] : []))
    const gzipped = gzipSync(file?.contents ?? '', { level: 9 }).length
    const inside = imports.filter(({ external }) => !external).map((imported) => imported.path)
    return [path, { entryPoint, gzipped, imports: inside, modules }] as const
  })
  return new Map(outputs)
}

/** Answers what is loaded from this entry on, without these parts of it. */
async function loadedFrom(entry: string, without: readonly string[]) {
  const outputs = await bundled(entry)
  const loaded = new Set<string>()
  const visit = (path: string) => {
    const output = outputs.get(path)
    if (!output || loaded.has(path) || (output.entryPoint !== null && without.includes(output.entryPoint))) return
    loaded.add(path)
    for (const imported of output.imports) visit(imported)
  }
  const [begin] = [...outputs].find(([, { entryPoint }]) => entryPoint === entry) ?? []
  if (begin !== undefined) visit(begin)
  const files = [...loaded].flatMap((path) => outputs.get(path) ?? [])
  const kilobytes = files.reduce((sum, { gzipped }) => sum + gzipped, 0) / 1000
  return { kilobytes, modules: files.flatMap(({ modules }) => modules) }
}

describe('PRF-R1 what a page loads beside PGlite', () => {
  it.each([
    ['a page whose engine runs in a worker', 'client/index.ts', [...LATER, ...OWN], 41],
    ['the same, of React', 'client/react/index.ts', [...LATER, ...OWN], 49],
    ['that worker', 'client/worker.ts', LATER, 126],
    ['a page whose engine runs in it', 'client/index.ts', [...LATER, SHARED], 126.5],
    ['a page with all that it may ever load', 'client/index.ts', IN_NODE, 155],
    ['a worker with all that it may ever load', 'client/worker.ts', IN_NODE, 147],
  ])(
    'PRF-R1 %s has its bound, without the whole of zod, a query builder and what a server reads',
    async (_, entry, without, most) => {
      const { kilobytes, modules } = await loadedFrom(entry, without)
      expect(kilobytes).toBeLessThanOrEqual(most)
      const foreign = /zod\/v4\/(classic|locales)|drizzle-orm|db\/definition|workers\//
      expect(modules.filter((path) => foreign.test(path))).toEqual([])
    },
  )

  it.each(['client/index.ts', 'client/worker.ts'])(
    'PRF-R2 %s is ready without what few need, each part of which is in a file of its own',
    async (entry) => {
      const later = [
        'step-version',
        'step-tables',
        'hanging-objects',
        'load-beside',
        'plan-renewal',
        'self-check',
        'past',
        'step-ddl',
        'own-code-ddl',
        'outbox-ddl',
      ]
      const isLater = (path: string) => later.some((name) => path.endsWith(`/${name}.ts`))
      expect((await loadedFrom(entry, LATER)).modules.filter(isLater)).toEqual([])
      expect((await loadedFrom(entry, [])).modules.filter(isLater)).toHaveLength(later.length)
    },
  )
})
