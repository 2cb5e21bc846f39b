import { existsSync } from 'node:fs'
import { PGlite } from '@electric-sql/pglite'
import { live } from '@electric-sql/pglite/live'
import type { Database } from '../../client/replica/database.ts'
import { dataDirOf, type Storage } from '../../client/replica/storage-name.ts'

let image: Promise<Blob> | null = null

async function makeImage(): Promise<Blob> {
  const db = await PGlite.create()
  const dump = await db.dumpDataDir('none')
  await db.close()
  return dump
}

/** Opens new storage from an image made once: initialising a database anew takes seconds. */
export async function openPreparedDatabase(storage: Storage): Promise<Database> {
  const common = { relaxedDurability: false, extensions: { live } }
  const isNew = storage.kind === 'memory' || (storage.kind === 'path' && !existsSync(storage.name))
  if (!isNew) return PGlite.create({ ...common, dataDir: dataDirOf(storage) })
  image ??= makeImage()
  return PGlite.create({ ...common, dataDir: dataDirOf(storage), loadDataDir: await image })
}
