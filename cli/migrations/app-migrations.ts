import { existsSync, readdirSync } from 'node:fs'
import { TidemarkError } from '../../protocol/errors.ts'
import { readCodeMigration } from './code-migration.ts'
import { type MigrationFile, readMigrationFiles } from './migration-file.ts'
import { isCodeMigration } from './unread-files.ts'

/** Tells by its name on record whether a migration is the app's: not one of ours, and not the seed. */
export const isAppMigration = (name: string): boolean =>
  !name.startsWith('tidemark:') && /\.(sql|[cm]?[jt]s)$/.test(name)

/**
 * Reads the migrations of an app's folder in the order of their names, in SQL and by code as TypeORM has it; none where it
 * is absent. Throws `bad-input`, also where the folder holds migrations of a kind that is not read.
 */
export async function readAppMigrations(folder: string): Promise<MigrationFile[]> {
  if (!existsSync(folder)) return []
  const files = readMigrationFiles(folder)
  const code = readdirSync(folder).filter((name) => isCodeMigration(folder, name))
  refuseCopies(code)
  for (const name of code) files.push(await readCodeMigration(folder, name))
  return files.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Refuses what a compiler leaves beside its source: it would run as another migration. */
function refuseCopies(names: readonly string[]): void {
  const stems = new Map<string, string>()
  for (const name of [...names].sort()) {
    const stem = name.replace(/\.\w+$/, '')
    const other = stems.get(stem)
    if (other !== undefined)
      throw new TidemarkError('bad-input', `${other} and ${name} are one migration twice: remove the compiled one.`)
    stems.set(stem, name)
  }
}
