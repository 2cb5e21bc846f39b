import { TidemarkError } from '../../protocol/errors.ts'
import { type Database, databaseMessageOf } from '../../workers/database/index.ts'
import { withScratch } from '../generate/scratch.ts'
import { readFacts, type SchemaFacts } from '../generate/table-facts.ts'
import { readAppMigrations } from '../migrations/app-migrations.ts'
import { applyFiles } from '../migrations/apply-migrations.ts'
import { readApplied, readOwnFiles } from '../migrations/find-pending.ts'
import type { MigrationFile } from '../migrations/migration-file.ts'
import { LOCK_WAIT_MS, underMigrationLock } from '../migrations/migration-lock.ts'
import { planMigrations } from '../migrations/migration-plan.ts'
import { recordBaseline } from '../migrations/record-file.ts'
import { retryLocks } from '../migrations/retry-locks.ts'
import { runFile } from '../migrations/run-file.ts'
import { findMissing } from './compare-with-files.ts'
import { findNotRun } from './records-of-tools.ts'

export interface BaselineChoices {
  /** The last file to mark; all where it is absent. */
  readonly until: string | undefined
  readonly isTrial: boolean
  /** True where the database is not compared with what the files make. */
  readonly isUnchecked: boolean
}

export interface Baseline {
  /** Names of our own files that ran first. */
  readonly own: readonly string[]
  readonly marked: readonly string[]
  /** What was found to be there; null where nothing was to be marked, or it was not checked. */
  readonly checked: string | null
  readonly notes: readonly string[]
}

/**
 * Puts files on record as run before Tidemark came, and runs none of them. Throws `bad-input` with everything that shows
 * that they did not run, and marks nothing then.
 */
export async function markBaseline(database: Database, folder: string, choices: BaselineChoices): Promise<Baseline> {
  return await underMigrationLock(database, async () => {
    const applied = await readApplied(database.query)
    const ownPlan = planMigrations(readOwnFiles(), applied.own)
    const files = await readAppMigrations(folder, () => true)
    const plan = planMigrations(files, applied.app)
    const faults = [...ownPlan.faults, ...plan.faults]
    if (faults.length > 0) throw refusal(faults, 'Nothing is marked before that is mended.')
    const marked = upTo(files, plan.pending, choices.until)
    const names = marked.map(({ name }) => name)
    const found = await checkFiles(database, folder, names, choices)
    if (choices.isTrial) return { own: [], marked: names, ...found }
    for (const file of ownPlan.pending) await retryLocks(database, [], LOCK_WAIT_MS, (query) => runFile(query, file))
    await retryLocks(database, [], LOCK_WAIT_MS, async (query) => {
      for (const file of marked) await recordBaseline(query, file)
    })
    return { own: ownPlan.pending.map(({ name }) => name), marked: names, ...found }
  })
}

const refusal = (faults: readonly string[], remedy: string) =>
  new TidemarkError('bad-input', `Nothing was marked.\n${faults.join('\n')}\n${remedy}`)

function upTo(
  files: readonly MigrationFile[],
  pending: readonly MigrationFile[],
  until: string | undefined,
): readonly MigrationFile[] {
  if (until === undefined) return pending
  if (!files.some(({ name }) => name === until))
    throw new TidemarkError(
      'bad-input',
      `There is no migration ${until}: --until takes the name of a file, such as ${files[0]?.name ?? '0001_first.sql'}.`,
    )
  return pending.filter(({ name }) => name <= until)
}

async function checkFiles(
  database: Database,
  folder: string,
  names: readonly string[],
  { isUnchecked }: BaselineChoices,
): Promise<Pick<Baseline, 'checked' | 'notes'>> {
  const last = names.at(-1)
  if (last === undefined) return { checked: null, notes: [] }
  const notRun = await findNotRun(database.query, folder, names)
  if (notRun.length > 0)
    throw refusal(notRun, 'Run them by their tool first, or mark those before them: --until <file>.')
  if (isUnchecked) return { checked: null, notes: ['The database was not compared with what the files make.'] }
  const made = await madeByFiles(folder, last)
  if (typeof made === 'string') return { checked: null, notes: [made] }
  const missing = findMissing(made, await readFacts(database.query))
  if (missing.length > 0)
    throw refusal(
      missing,
      `The files up to ${last} make that, and this database does not have it: mark those before with --until <file>, mend the ` +
        'database, or mark them all the same with --unchecked.',
    )
  const { tables } = made
  return {
    checked: `The database has what they make: ${tables.length} ${tables.length === 1 ? 'table' : 'tables'}, with columns, keys and references.`,
    notes: [],
  }
}

/** Runs the files in a database of its own; says why where they cannot run there, as they may need what it has not. */
async function madeByFiles(folder: string, last: string): Promise<SchemaFacts | string> {
  try {
    return await withScratch(undefined, async ({ query }) => {
      await applyFiles(query, folder, last)
      return await readFacts(query)
    })
  } catch (error) {
    if (!(error instanceof TidemarkError)) throw error
    const said = databaseMessageOf(error) ?? error.message.split('\n')[0]
    return `The database was not compared with what the files make, because they do not run in an empty one: ${said}`
  }
}
