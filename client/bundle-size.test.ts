import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Bundles an entry as a page's bundler would, PGlite and React aside; answers its size, gzipped, and the modules of which more than an empty shell is in it. */
async function bundled(entry: string): Promise<{ kilobytes: number; modules: string[] }> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'browser',
    external: ['@electric-sql/pglite', '@electric-sql/pglite/*', 'react'],
    logLevel: 'silent',
  })
  const outputs = Object.values(metafile.outputs)
  const modules = outputs.flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 200 ? [path] : [])),
  )
  const bytes = outputFiles.reduce((sum, { contents }) => sum + gzipSync(contents, { level: 9 }).length, 0)
  return { kilobytes: bytes / 1000, modules }
}

describe('PRF-R1 what a page loads beside PGlite', () => {
  it.each([
    ['client/index.ts', 136],
    ['client/worker.ts', 130],
    ['client/react/index.ts', 143],
  ])(
    'PRF-R1 %s is at most %d kB gzipped, without the whole of zod, a query builder and what a server reads',
    async (entry, most) => {
      const { kilobytes, modules } = await bundled(entry)
      expect(kilobytes).toBeLessThanOrEqual(most)
      expect(
        modules.filter((path) => /zod\/v4\/(classic|locales)|drizzle-orm|db\/definition|workers\//.test(path)),
      ).toEqual([])
    },
  )
})
