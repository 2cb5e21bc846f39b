import { rmSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { TidemarkError } from '../../protocol/errors.ts'
import type { Invocation } from '../command.ts'
import { filesOfMigration } from './files-of-migration.ts'
import { readApplied } from './find-pending.ts'
import { withMigrationDatabase } from './with-app-database.ts'

/** Removes what a migration left that has not run, and prints it. Throws `bad-input` for one that ran. */
export async function runCleanup({ argument, values, switches }: Invocation): Promise<number> {
  const folder = join(resolve(values.folder ?? '.'), 'migrations')
  const { recorded, paths, journal } = filesOfMigration(folder, argument ?? '')
  await withMigrationDatabase(values['database-url'], async ({ database, shown }) => {
    const applied = (await readApplied(database.query)).app
    const ran = applied.find(({ name }) => recorded.includes(name))
    if (ran)
      throw new TidemarkError(
        'bad-input',
        `${ran.name} ran in ${shown} at ${ran.at}, and nothing was removed: take it back first (tidemark migration:revert), or put the change back by a new migration.`,
      )
  })
  const isTrial = switches.has('dry-run')
  // The journal goes first: without its entry a file is one of another hand's, but an entry without a file stops every run.
  if (journal && !isTrial) writeFileSync(journal.path, journal.text)
  for (const path of paths) {
    if (!isTrial) rmSync(path)
    console.log(`${isTrial ? 'Would remove' : 'Removed'} ${relative(process.cwd(), path)}`)
  }
  if (journal)
    console.log(`${isTrial ? 'Would take' : 'Took'} its entry out of ${relative(process.cwd(), journal.path)}`)
  if (isTrial) console.log('Nothing was removed.')
  return 0
}
