import type { MigrationOutcome } from './apply-migrations.ts'

/** Prints what a migration did, or that there was nothing to do. */
export function reportMigrations(outcome: MigrationOutcome): void {
  for (const name of outcome.ran) console.log(`Applied ${name}`)
  if (outcome.ran.length === 0) console.log('Migrations: nothing to apply.')
  for (const note of outcome.notes) console.log(note)
  const { version, hash, changed } = outcome.definition
  console.log(`Sync definition: version ${version} (${hash.slice(0, 12)}), ${changed ? 'now in force' : 'unchanged'}.`)
}
