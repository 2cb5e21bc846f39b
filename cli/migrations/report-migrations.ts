import type { MigrationOutcome } from './apply-migrations.ts'
import type { MigrationFile } from './migration-file.ts'
import type { TriedMigrations } from './try-migrations.ts'

/** Prints what a migration did, or that there was nothing to do. */
export function reportMigrations(outcome: MigrationOutcome): void {
  for (const name of outcome.ran) console.log(`Applied ${name}`)
  if (outcome.ran.length === 0) console.log('Migrations: nothing to apply.')
  for (const note of outcome.notes) console.log(note)
  const { version, hash, changed } = outcome.definition
  console.log(`Sync definition: version ${version} (${hash.slice(0, 12)}), ${changed ? 'now in force' : 'unchanged'}.`)
}

/** Prints what is about to be done to tables that are there. */
export function reportPlan(lines: readonly string[]): void {
  if (lines.length === 0) return
  console.log('Plan, for tables that are there (estimates of the server):')
  for (const line of lines) console.log(`  ${line}`)
}

/** Prints what a migration would do. */
export function reportTried({ pending, ran, notes, definition }: TriedMigrations): void {
  for (const { name } of pending.own) console.log(`Would apply ${name}, which makes tables of Tidemark.`)
  for (const file of pending.app.filter(({ name }) => ran.includes(name))) {
    console.log(`Would apply ${file.name}:`)
    printStatements(file)
  }
  if (ran.length === 0) console.log('Migrations: nothing to apply.')
  for (const note of notes) console.log(note)
  reportUnchanged(definition.changed)
}

/** Prints the statements of a file, with the values of their parameters. */
export function printStatements({ statements, parameters }: MigrationFile): void {
  for (const [index, statement] of statements.entries()) {
    console.log(statement.replace(/;?\s*$/, ';').replaceAll(/^/gm, '  '))
    const values = parameters?.[index] ?? []
    if (values.length > 0) console.log(`  -- ${values.map((value, at) => `$${at + 1} = ${value}`).join(', ')}`)
  }
}

/** Ends the report of a trial. */
function reportUnchanged(changed: boolean): void {
  console.log(`Sync definition: ${changed ? 'a new version would come in force' : 'would stay as it is'}.`)
  console.log('Nothing was changed.')
}
