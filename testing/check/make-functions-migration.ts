import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { toMigrationFile } from '../../cli/migrations/migration-file.ts'
import {
  compareFunctions,
  describeDifference,
  MIGRATIONS,
  openMigrated,
  readFunctionFiles,
  runStatements,
  toFunctionsMigration,
} from './sql-functions.ts'

interface Journal {
  readonly entries: readonly { readonly idx: number; readonly when: number }[]
}

/** Writes the next migration, with the text of the files of `db/functions` from which the migrations differ. */
const [name = ''] = process.argv.slice(2)
if (!/^[a-z][a-z0-9-]*$/.test(name)) {
  console.error('Name the migration: node testing/check/make-functions-migration.ts prune-seldom')
  process.exit(2)
}
const db = await openMigrated()
const files = readFunctionFiles()
const text = toFunctionsMigration(await compareFunctions(db, files), files)
if (text === null) console.log('The migrations make every function as its file has it: there is nothing to write.')
else {
  const file = addMigration(text)
  console.log(`Wrote migrations/${file} and its entry in migrations/meta/_journal.json.`)
  try {
    await runStatements(db, toMigrationFile(file, text))
    // CREATE OR REPLACE does not take back a right that a file no longer grants.
    for (const left of await compareFunctions(db, files)) {
      console.error(describeDifference(left, `Add to migrations/${file} by hand what mends that.`))
      process.exitCode = 1
    }
  } catch (error) {
    console.error(`It does not run, mend it by hand: ${error instanceof Error ? error.message : error}`)
    process.exitCode = 1
  }
}
await db.close()

/** Adds it under the number after the journal's last, from which drizzle-kit counts too; answers its file's name. */
function addMigration(sql: string): string {
  const path = join(MIGRATIONS, 'meta/_journal.json')
  const journal: Journal = JSON.parse(readFileSync(path, 'utf8'))
  const last = journal.entries.at(-1)
  const idx = (last?.idx ?? -1) + 1
  const tag = `${String(idx).padStart(4, '0')}_${name}`
  const when = Math.max(Date.now(), (last?.when ?? 0) + 1)
  const entries = [...journal.entries, { idx, version: '7', when, tag, breakpoints: true }]
  writeFileSync(join(MIGRATIONS, `${tag}.sql`), sql, { flag: 'wx' })
  writeFileSync(path, `${JSON.stringify({ ...journal, entries }, null, 2)}\n`)
  return `${tag}.sql`
}
