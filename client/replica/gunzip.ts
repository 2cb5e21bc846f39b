import { LIMITS } from '../../protocol/index.ts'
import { zlib } from '../store/node-builtins.ts'
import { isServerRuntime } from '../store/runtime.ts'

/** The content of a gzip file of a chunk. Rejects where it is none. */
export const gunzip = (bytes: Uint8Array<ArrayBuffer>): Promise<Blob> =>
  isServerRuntime() ? gunzipAside(bytes) : gunzipStream(bytes)

/** In one go on another thread, where a stream comes back for each 16 KiB: here PGlite holds this thread most of the time. */
function gunzipAside(bytes: Uint8Array<ArrayBuffer>): Promise<Blob> {
  return new Promise((resolve, reject) => {
    zlib().gunzip(bytes, { chunkSize: LIMITS.chunkRawBytes }, (error, content) =>
      error ? reject(error) : resolve(new Blob([content])),
    )
  })
}

/** Written and read by hand: a Blob's stream piped through costs more. */
async function gunzipStream(bytes: Uint8Array<ArrayBuffer>): Promise<Blob> {
  const { readable, writable } = new DecompressionStream('gzip')
  const writer = writable.getWriter()
  const write = async () => {
    await writer.write(bytes)
    await writer.close()
  }
  const pieces: Uint8Array<ArrayBuffer>[] = []
  const read = async () => {
    const reader = readable.getReader()
    for (let next = await reader.read(); !next.done; next = await reader.read()) pieces.push(next.value)
  }
  await Promise.all([write(), read()])
  return new Blob(pieces)
}
