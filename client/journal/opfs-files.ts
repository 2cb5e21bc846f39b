import type { JournalFiles } from './journal-files.ts'
import type { JournalAnswer, JournalCall } from './journal-worker.ts'

/** Two files of the origin's own file system, held by a small worker: only there can they be written at once and whole. */
export function openOpfsFiles(storage: string): JournalFiles {
  // Bundlers look for exactly this expression.
  const worker = new Worker(new URL('./journal-worker.js', import.meta.url), { type: 'module' })
  const waiting = new Map<number, { resolve: (bytes: Uint8Array) => void; reject: (error: Error) => void }>()
  let last = 0
  worker.addEventListener('message', ({ data }: MessageEvent<JournalAnswer>) => {
    const call = waiting.get(data.id)
    waiting.delete(data.id)
    if (data.error === null) call?.resolve(data.bytes)
    else call?.reject(new Error(data.error))
  })
  worker.addEventListener('error', (event) => {
    for (const { reject } of waiting.values())
      reject(new Error(event.message || 'The worker of the journal did not load.'))
    waiting.clear()
  })

  function call(order: Omit<JournalCall, 'id' | 'storage'>): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      last += 1
      waiting.set(last, { resolve, reject })
      worker.postMessage({ ...order, id: last, storage } satisfies JournalCall)
    })
  }

  const nothing = new Uint8Array()
  return {
    read: (slot) => call({ what: 'read', slot, bytes: nothing }),
    async append(slot, bytes) {
      await call({ what: 'append', slot, bytes })
    },
    async replace(slot, bytes) {
      await call({ what: 'replace', slot, bytes })
    },
    async remove() {
      await call({ what: 'remove', slot: 0, bytes: nothing })
    },
    async close() {
      await call({ what: 'close', slot: 0, bytes: nothing })
      worker.terminate()
    },
  }
}
