import type { JournalFiles } from './journal-files.ts'
import type { JournalAnswer, JournalCall } from './journal-worker.ts'

export async function hasOpfsFiles(storage: string): Promise<boolean> {
  const path = storage.split('/').filter(Boolean)
  const own = path.pop() ?? storage
  try {
    let folder = await navigator.storage.getDirectory()
    for (const part of path) folder = await folder.getDirectoryHandle(part)
    for await (const name of folder.keys()) if (/\.journal-[01]$/.test(name) && name.startsWith(`${own}.`)) return true
    return false
  } catch (error) {
    // A folder that is missing, or that the browser closes to private windows, holds nothing.
    if (error instanceof DOMException && /^(NotFound|Security)Error$/.test(error.name)) return false
    throw error
  }
}

/** A worker that has not answered its first call by then is given up: its code may never come. */
const LOADING_MS = 60_000

/** Opens two files of the origin's own file system in a small worker: only there are they written at once and whole. */
export function openOpfsFiles(storage: string): JournalFiles {
  // Bundlers look for exactly this expression.
  const worker = new Worker(new URL('./journal-worker.js', import.meta.url), { type: 'module' })
  const waiting = new Map<number, { resolve: (bytes: Uint8Array) => void; reject: (error: Error) => void }>()
  let last = 0
  let broken: Error | null = null
  const giveUp = (why: Error) => {
    broken = why
    for (const { reject } of waiting.values()) reject(why)
    waiting.clear()
    worker.terminate()
  }
  const loading = setTimeout(() => giveUp(new Error('The worker of the journal does not answer.')), LOADING_MS)
  worker.addEventListener('message', ({ data }: MessageEvent<JournalAnswer>) => {
    clearTimeout(loading)
    const call = waiting.get(data.id)
    waiting.delete(data.id)
    if (data.error === null) call?.resolve(data.bytes)
    else call?.reject(new Error(data.error))
  })
  worker.addEventListener('error', (event) => {
    clearTimeout(loading)
    giveUp(new Error(event.message || 'The worker of the journal did not load.'))
  })

  function call(order: Omit<JournalCall, 'id' | 'storage'>): Promise<Uint8Array> {
    // A worker that is gone answers nothing.
    if (broken) return Promise.reject(broken)
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
      if (broken) return
      await call({ what: 'close', slot: 0, bytes: nothing })
      worker.terminate()
    },
  }
}
