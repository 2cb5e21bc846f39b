import { fileSystem } from './node-builtins.ts'

/** Each database within a folder has a version file too; this is the one of the database that PGlite uses. */
const OWN = 'base/5/PG_VERSION'
const VERSION = /^\d+\n$/

/**
 * Puts back the one file that a database folder may lack and that is known all the same: the version that Postgres reads
 * first. Answers whether it did.
 */
export async function mendFolder(folder: string): Promise<boolean> {
  const files = fileSystem()
  const read = (name: string) => files.readFile(`${folder}/${name}`, 'utf8').catch(() => '')
  const version = await read(OWN)
  if (!VERSION.test(version) || VERSION.test(await read('PG_VERSION'))) return false
  await files.writeFile(`${folder}/PG_VERSION.new`, version, { flag: 'w' })
  await files.rename(`${folder}/PG_VERSION.new`, `${folder}/PG_VERSION`)
  return true
}
