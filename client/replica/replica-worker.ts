import { PGlite } from '@electric-sql/pglite'
import { worker } from '@electric-sql/pglite/worker'
import { startParams } from './start-params.ts'

/** Entry of the dedicated worker that runs a browser's database. */
void worker({
  async init({ dataDir }) {
    try {
      return await PGlite.create(dataDir ?? 'memory://', { relaxedDurability: false, startParams: startParams(PGlite) })
    } catch (error) {
      postMessage({ type: 'tidemark-failed', message: error instanceof Error ? error.message : String(error) })
      throw error
    }
  },
})
