import { databaseLock, type FromDatabase, type ToDatabase } from './page-messages.ts'
import { prepareEngine, whenPrepared } from './prepare-engine.ts'
import { servePage } from './serve-page.ts'
import { StartFailed } from './start-failed.ts'
import { type Started, startInWorker } from './start-in-worker.ts'

const post = (message: FromDatabase) => postMessage(message)

let started: Started | null = null
let serve: ReturnType<typeof servePage> | null = null

async function open({ dataDir, image }: Extract<ToDatabase, { type: 'open' }>): Promise<void> {
  try {
    started = await startAlone(dataDir, image)
    serve = servePage(started.db, post)
    void started.panicked.then(({ message }) => post({ type: 'lost', message }))
    post({ type: 'ready' })
  } catch (error) {
    const words = error instanceof StartFailed ? error.words : []
    post({ type: 'failed', message: error instanceof Error ? error.message : String(error), words })
  }
}

/** Waits until the worker before it has ended, which lets go of its files only then, and keeps others waiting likewise. */
function startAlone(dataDir: string, image: Blob | null): Promise<Started> {
  return new Promise((resolve, reject) => {
    void navigator.locks.request(databaseLock(dataDir), async () => {
      await whenPrepared()
      const starting = startInWorker(dataDir, image, (signs) => post({ type: 'alive', signs }))
      starting.then(resolve, reject)
      await starting.catch(() => undefined)
      await new Promise(() => undefined)
    })
  })
}

/** Entry of the dedicated worker that runs the database of a page that runs the engine itself. */
addEventListener('message', ({ data }: MessageEvent<ToDatabase>) => {
  if (data.type === 'open') void open(data)
  else if (data.type === 'prepare') void prepareEngine().then(() => post({ type: 'prepared' }))
  else if (data.type === 'opened') started?.onOpened()
  else void serve?.(data)
})
