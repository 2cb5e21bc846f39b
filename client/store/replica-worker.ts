import { PGlite } from '@electric-sql/pglite'
import { OpfsAhpFS } from '@electric-sql/pglite/opfs-ahp'
import { worker } from '@electric-sql/pglite/worker'
import { watchLife } from './life-signs.ts'
import { StartFailed, StartWords } from './start-failed.ts'
import { startParams } from './start-params.ts'
import type { WorkerMessage } from './worker-database.ts'

/** As many files as a new database begins with, and some to come; PGlite makes 1,000, and removes half of them again. */
const FILES_OF_NEW = 400
const OPFS = 'opfs-ahp://'

/** Nothing may precede PGlite's own first words, which are out before `init`. */
const tell = (message: WorkerMessage) => postMessage(message)

/** Entry of the dedicated worker that runs a browser's database. */
void worker({
  async init({ dataDir = 'memory://', loadDataDir }) {
    const life = watchLife((signs) => tell({ type: 'tidemark-alive', signs }), { ownsPlatform: true })
    const isNewOpfs = loadDataDir !== undefined && dataDir.startsWith(OPFS)
    const words = new StartWords()
    try {
      const start = PGlite.create({
        ...(isNewOpfs
          ? { fs: new OpfsAhpFS(dataDir.slice(OPFS.length), { initialPoolSize: FILES_OF_NEW }) }
          : { dataDir }),
        ...(loadDataDir === undefined ? {} : { loadDataDir }),
        relaxedDurability: false,
        startParams: startParams(PGlite),
        onStderr: words.listen,
        extensions: { life: life.extension },
      })
      return await words.ofStart(start)
    } catch (error) {
      const said = error instanceof StartFailed ? error.words : []
      tell({ type: 'tidemark-failed', message: error instanceof Error ? error.message : String(error), words: said })
      throw error
    } finally {
      life.stop()
    }
  },
})
