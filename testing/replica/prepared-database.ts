import { PGlite } from '@electric-sql/pglite'
import type { Database } from '../../client/store/database.ts'
import { findDatabase } from '../../client/store/find-database.ts'
import { openDatabase } from '../../client/store/open-database.ts'
import { INSTANT_PARSERS } from '../../client/store/rules/parse-instant.ts'
import { StartWords } from '../../client/store/start-failed.ts'
import { startParams } from '../../client/store/start-options.ts'
import { dataDirOf, type Storage } from '../../client/store/storage-name.ts'
import { databaseImage } from '../check/database-image.ts'

/** Postgres zeroes its buffers at each start, which took longer than the rest of an opening; tests hold few rows. */
const SMALL = '16MB'

let image: Promise<Blob> | null = null

async function readImage(): Promise<Blob> {
  return new Blob([new Uint8Array(await databaseImage())], { type: 'application/gzip' })
}

/** Opens storage as a replica does, but makes the image, which the sources lack until they are built. */
export const openPreparedDatabase = (storage: Storage): Promise<Database> => openWithBuffers(storage, SMALL)

/** Works as `openPreparedDatabase`, with buffers of the given size, written as Postgres reads it. */
export async function openWithBuffers(storage: Storage, buffers: string): Promise<Database> {
  const found = await findDatabase(storage)
  if (found !== 'nothing' && found !== 'database') return openDatabase(storage)
  const words = new StartWords()
  if (found === 'nothing') image ??= readImage()
  const start = PGlite.create({
    dataDir: dataDirOf(storage),
    ...(found === 'nothing' && image ? { loadDataDir: await image } : {}),
    relaxedDurability: false,
    startParams: [...startParams(PGlite), '-c', `shared_buffers=${buffers}`],
    onStderr: words.listen,
    parsers: INSTANT_PARSERS,
  })
  return (await words.ofStart(start)) as unknown as Database
}
