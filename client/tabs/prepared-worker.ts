import type { FromWorker, ToWorker } from './tab-messages.ts'

interface PreparedWorker {
  readonly worker: Worker
  /** Resolves when it has compiled the engine, or failed. */
  readonly done: Promise<void>
}

/** The worker of this page that waits for a replica to be opened. */
let prepared: PreparedWorker | null = null

/** Makes a worker that compiles the engine, where there is none yet; resolves when it has, or failed. */
export function prepareWorker(make: () => Worker): Promise<void> {
  prepared ??= prepare(make())
  return prepared.done
}

function prepare(worker: Worker): PreparedWorker {
  const done = new Promise<void>((resolve) => {
    worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
      if (data.type === 'tidemark-prepared') resolve()
    })
    worker.addEventListener('error', () => {
      // Whoever opens a replica makes another, whose fault is told.
      if (prepared?.worker === worker) prepared = null
      resolve()
    })
  })
  worker.postMessage({ type: 'tidemark-prepare' } satisfies ToWorker)
  return { worker, done }
}

/** Answers the worker that was prepared, which is the caller's from now on, and says again that it has loaded; null where there is none. */
export function takePrepared(): Worker | null {
  const worker = prepared?.worker ?? null
  prepared = null
  worker?.postMessage({ type: 'tidemark-hello' } satisfies ToWorker)
  return worker
}
