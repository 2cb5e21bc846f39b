import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'esbuild'

/** Lets a module load where nothing is installed yet: what it imports of Tidemark and drizzle is what runs here. */
export const ownPackages: Plugin = {
  name: 'own-packages',
  setup(build) {
    build.onResolve({ filter: /^tidemark\/db$/ }, () => ({ path: ownModule() }))
    build.onResolve({ filter: /^drizzle-orm(\/pg-core)?$/ }, ({ path }) => ({
      path: fileURLToPath(import.meta.resolve(path)),
    }))
  },
}

function ownModule(): string {
  const folder = join(import.meta.dirname, '..', '..', 'db')
  const source = join(folder, 'index.ts')
  return existsSync(source) ? source : join(folder, 'index.js')
}
