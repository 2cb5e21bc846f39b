import { LIMITS } from '../../protocol/index.ts'
import { zlib } from '../store/node-builtins.ts'
import { isServerRuntime } from '../store/runtime.ts'

/** Unpacks the gzip file of a chunk. Rejects where it is none. */
export const gunzip = (bytes: Uint8Array<ArrayBuffer>): Promise<Blob> =>
  isServerRuntime() ? gunzipAside(bytes) : gunzipStream(bytes)

/** Unpacks in one go on another thread: a stream would come back every 16 KiB to this one, which PGlite mostly has. */
function gunzipAside(bytes: Uint8Array<ArrayBuffer>): Promise<Blob> {
  return new Promise((resolve, reject) => {
    zlib().gunzip(bytes, { chunkSize: LIMITS.chunkRawBytes }, (error, content) =>
      error ? reject(error) : resolve(new Blob([content])),
    )
  })
}

/** Writes and reads by hand, because piping a Blob's stream through costs more. */
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
