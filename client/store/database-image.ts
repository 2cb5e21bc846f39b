import { fileSystem } from './node-builtins.ts'
import { isServerRuntime } from './runtime.ts'

const GZIP = [0x1f, 0x8b]
/** The offset at which a tar says that it is one. */
const TAR_MAGIC = 257

/**
 * The data directory of a new database, as the build of this package made it: PGlite's own way of making one takes several
 * times as long as starting it.
 *
 * Rejects where it is not beside this module, as after a bundler that leaves assets behind.
 */
export async function loadDatabaseImage(): Promise<Blob> {
  // Bundlers look for exactly this expression.
  const url = new URL('./database-image.bin', import.meta.url)
  const bytes = isServerRuntime() ? await fileSystem().readFile(url) : await download(url)
  if (GZIP.every((byte, index) => bytes[index] === byte)) return new Blob([bytes], { type: 'application/gzip' })
  // Some servers decode files that they take for precompressed, and some answer a page for every absent file.
  const magic = new TextDecoder().decode(bytes.subarray(TAR_MAGIC, TAR_MAGIC + 5))
  if (magic !== 'ustar') throw new Error(`${url} does not answer with a database image.`)
  return new Blob([bytes], { type: 'application/x-tar' })
}

async function download(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${url} answers ${response.status}.`)
  return new Uint8Array(await response.arrayBuffer())
}
