import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Query } from '../../db/query.ts'
import { TidemarkError } from '../../protocol/errors.ts'
import { readCodeMigration } from './code-migration.ts'
import { DOWN, holdsStatement, type MigrationFile, toMigrationFile } from './migration-file.ts'
import { readRecordedDown } from './record-file.ts'

/** Reads what takes a migration back: as its folder has it, else as it was stored when it ran. Throws `bad-input` without one. */
export async function readDown(query: Query, folder: string, name: string): Promise<MigrationFile> {
  const down = (await readDownFile(folder, name)) ?? (await readRecordedDown(query, name))
  if (down === null) {
    const what = name.endsWith('.sql') ? `there is no ${downNameOf(name)} beside it` : `its file is missing`
    throw new TidemarkError(
      'bad-input',
      `${name} cannot be taken back: ${what}. Write one with the SQL that undoes it, or put ` +
        'the change back by a new migration.',
    )
  }
  if (holdsStatement(down)) return down
  const place = down.name === name ? `down() of ${name}` : down.name
  throw new TidemarkError('bad-input', `${place} holds no statement: write the SQL that undoes ${name}.`)
}

/** Reads what takes a migration back from its folder; null where it holds none. Throws `bad-input`. */
export async function readDownFile(folder: string, name: string): Promise<MigrationFile | null> {
  const path = join(folder, name.endsWith('.sql') ? downNameOf(name) : name)
  if (!existsSync(path)) return null
  if (!name.endsWith('.sql')) return await readCodeMigration(folder, name, 'down')
  return toMigrationFile(downNameOf(name), readFileSync(path, 'utf8'))
}

const downNameOf = (name: string): string => name.replace(/\.sql$/, DOWN)
