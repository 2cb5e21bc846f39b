import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TidemarkError } from '../../protocol/errors.ts'
import { readCodeMigration } from './code-migration.ts'
import { fileThatRan, isOwnFile, type MigrationFile, readMigrationFiles } from './migration-file.ts'
import { readDownFile } from './read-down.ts'
import { isCodeMigration } from './unread-files.ts'

/** Tells by its name on record whether a migration is the app's: not one of ours, and not the seed. */
export const isAppMigration = (name: string): boolean => !isOwnFile(name) && /\.(sql|[cm]?[jt]s)$/.test(name)

/**
 * Reads the migrations of an app's folder in the order of their names, in SQL and by code as TypeORM has it; none where it
 * is absent. Of those that ran elsewhere nothing but name and hash is read, so that they may hold what none that runs here
 * may. Throws `bad-input`, also where the folder holds migrations of a kind that is not read.
 */
export async function readAppMigrations(
  folder: string,
  ranElsewhere: (name: string) => boolean = () => false,
): Promise<MigrationFile[]> {
  if (!existsSync(folder)) return []
  const files = readMigrationFiles(folder, '', ranElsewhere)
  const code = readdirSync(folder).filter((name) => isCodeMigration(folder, name))
  refuseCopies(code)
  for (const name of code)
    files.push(
      ranElsewhere(name)
        ? fileThatRan(name, readFileSync(join(folder, name), 'utf8'))
        : await readCodeMigration(folder, name),
    )
  const withDown = files.map(async (file) => ({ ...file, down: await downOf(folder, file.name) }))
  return (await Promise.all(withDown)).sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** What cannot take a migration back is said when it is to do so, and keeps nobody from going forward. */
async function downOf(folder: string, name: string): Promise<MigrationFile | null> {
  try {
    return await readDownFile(folder, name)
  } catch (error) {
    if (error instanceof TidemarkError) return null
    throw error
  }
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
