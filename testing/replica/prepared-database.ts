import { PGlite } from '@electric-sql/pglite'
import { live } from '@electric-sql/pglite/live'
import type { Database } from '../../client/replica/database.ts'
import { findDatabase } from '../../client/replica/making.ts'
import { openDatabase } from '../../client/replica/open-database.ts'
import { dataDirOf, type Storage } from '../../client/replica/storage-name.ts'
import { databaseImage } from '../check/database-image.ts'

let image: Promise<Blob> | null = null

async function readImage(): Promise<Blob> {
  return new Blob([new Uint8Array(await databaseImage())], { type: 'application/gzip' })
}

/** Opens storage as a replica does, of which the sources lack the image until they are built. */
export async function openPreparedDatabase(storage: Storage): Promise<Database> {
  if ((await findDatabase(storage)) !== 'nothing') return openDatabase(storage)
  const common = { dataDir: dataDirOf(storage), relaxedDurability: false, extensions: { live } }
  image ??= readImage()
  return PGlite.create({ ...common, loadDataDir: await image })
}
