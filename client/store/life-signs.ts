import type { Extension } from '@electric-sql/pglite'

/** Called with how often PGlite has asked the device so far; a figure that grows says that it is at work. */
export type Alive = (signs: number) => void

/** The time between two reports of life; PGlite gives thousands of signs in a second. */
const REPORT_EVERY_MS = 200

interface Counter {
  readonly sign: () => void
  stop(): void
}

function countSigns(alive: Alive): Counter {
  let signs = 0
  let reportedAtMs = 0
  let stopped = false
  return {
    sign() {
      signs++
      const nowMs = Date.now()
      if (stopped || nowMs - reportedAtMs < REPORT_EVERY_MS) return
      reportedAtMs = nowMs
      alive(signs)
    },
    stop() {
      stopped = true
    },
  }
}

type Method = (this: unknown, ...args: unknown[]) => unknown

/** Counts the calls of a method, until the function it answers is called. */
function countCalls(owner: object, name: string, sign: () => void): () => void {
  const methods = owner as Record<string, Method>
  const method = methods[name]
  if (typeof method !== 'function') return () => undefined
  methods[name] = function counted(...args) {
    sign()
    return method.apply(this, args)
  }
  return () => {
    methods[name] = method
  }
}

export interface LifeSigns {
  /** For PGlite's options: opening, reading and writing of files is all it does for seconds, without a pause. */
  readonly extension: Extension
  stop(): void
}

/**
 * Watches what PGlite does while it starts: files it opens, reads and writes, and in a worker of our own also handles it asks
 * the browser for and bytes that arrive.
 */
export function watchLife(alive: Alive, { ownsPlatform }: { readonly ownsPlatform: boolean }): LifeSigns {
  const { sign, stop } = countSigns(alive)
  const undo = ownsPlatform ? [countDownloads(sign), countHandles(sign)] : []
  return {
    extension: {
      name: 'tidemark-life',
      setup: async (_db, options: { preRun?: unknown[] }) => ({
        emscriptenOpts: {
          ...options,
          preRun: [
            ...(options.preRun ?? []),
            ({ FS }: { FS: object }) => {
              for (const name of ['open', 'read', 'write']) undo.push(countCalls(FS, name, sign))
            },
          ],
        },
      }),
    },
    stop() {
      stop()
      for (const one of undo.splice(0)) one()
    },
  }
}

const countHandles = (sign: () => void) =>
  'FileSystemFileHandle' in globalThis
    ? countCalls(FileSystemFileHandle.prototype, 'createSyncAccessHandle', sign)
    : () => undefined

/** PGlite's 15 MB take minutes on a slow line. */
function countDownloads(sign: () => void): () => void {
  const { fetch } = globalThis
  globalThis.fetch = async (...request) => {
    const response = await fetch(...request)
    const counter = new TransformStream<Uint8Array, Uint8Array>({
      transform(bytes, controller) {
        sign()
        controller.enqueue(bytes)
      },
    })
    return new Response(response.body?.pipeThrough(counter) ?? null, response)
  }
  return () => {
    globalThis.fetch = fetch
  }
}
