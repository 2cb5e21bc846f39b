import { PGlite } from '@electric-sql/pglite'
import { OpfsAhpFS } from '@electric-sql/pglite/opfs-ahp'
import { worker } from '@electric-sql/pglite/worker'
import { FILES_OF_IMAGE } from './image-files.ts'
import { watchLife } from './life-signs.ts'
import { StartFailed, StartWords } from './start-failed.ts'
import { startParams } from './start-params.ts'
import type { WorkerCall, WorkerMessage } from './worker-database.ts'

/** Files kept ready for the next statement: few while a new database is opened, since making one takes a millisecond. */
const FILES_KEPT_AT_OPENING = 12
/** PGlite makes 1,000 for a new database and removes half of them again, which takes longer than making them. */
const FILES_OF_NEW = FILES_OF_IMAGE + FILES_KEPT_AT_OPENING
/** PGlite's own number: one statement of the app's may make as many. */
const FILES_KEPT = 100
const OPFS = 'opfs-ahp://'

function newFiles(path: string): OpfsAhpFS {
  const sizes = { initialPoolSize: FILES_OF_NEW, maintainedPoolSize: FILES_KEPT_AT_OPENING }
  const files = new OpfsAhpFS(path, sizes)
  addEventListener('message', ({ data }: MessageEvent<Partial<WorkerCall>>) => {
    // PGlite reads it at each statement.
    if (data.type === 'tidemark-opened') Object.assign(files, { maintainedPoolSize: FILES_KEPT })
  })
  return files
}

/** Nothing may precede PGlite's own first words, which are out before `init`. */
const postToPage = (message: WorkerMessage) => postMessage(message)

/** Entry of the dedicated worker that runs a browser's database. */
void worker({
  async init({ dataDir = 'memory://', loadDataDir }) {
    const life = watchLife((signs) => postToPage({ type: 'tidemark-alive', signs }), { ownsPlatform: true })
    const isNewOpfs = loadDataDir !== undefined && dataDir.startsWith(OPFS)
    const words = new StartWords()
    try {
      const start = PGlite.create({
        ...(isNewOpfs ? { fs: newFiles(dataDir.slice(OPFS.length)) } : { dataDir }),
        ...(loadDataDir === undefined ? {} : { loadDataDir }),
        relaxedDurability: false,
        startParams: startParams(PGlite),
        onStderr: words.listen,
        extensions: { life: life.extension },
      })
      return await words.ofStart(start)
    } catch (error) {
      const said = error instanceof StartFailed ? error.words : []
      postToPage({
        type: 'tidemark-failed',
        message: error instanceof Error ? error.message : String(error),
        words: said,
      })
      throw error
    } finally {
      life.stop()
    }
  },
})
