import type { Sync } from '../../db/define-sync.ts'
import { applyBetween } from '../../db/definition/apply-between.ts'
import type { AppliedDefinition, TryDefinition } from '../../db/definition/apply-definition.ts'
import { readStart, type TransactionStart } from '../../db/definition/transaction-start.ts'
import type { Query } from '../../db/query.ts'
import { PINNED_SETTINGS } from '../../protocol/change.ts'
import { runsOf } from './file-runs.ts'
import { type FollowedColumns, followRetypes, lookAtColumns } from './follow-retypes.ts'
import type { MigrationFile } from './migration-file.ts'
import { isLockFault } from './retry-locks.ts'
import { RUN_CHECKS, runStatement } from './run-file.ts'

/** What is left to be put in force once a file has run. */
export interface RanByVersions {
  /** The tables as the last version that came in force, or the file's beginning, found them. */
  readonly start: TransactionStart
  /** The versions that came in force within the file. */
  readonly applied: readonly AppliedDefinition[]
}

/**
 * Runs the statements of a file, and puts in force what follows from those that alter the schema before the next that
 * may write rows: so the log tells these by the tables as they are then, and they cost replicas nothing else.
 *
 * Where a table cannot be synced as it is in between, the version waits, and what is written until then makes its table
 * be loaded. `start` is the file's beginning. Throws as `runFile`.
 */
export async function runByVersions(
  query: Query,
  sync: Sync,
  file: MigrationFile,
  { start, tryDefinition }: { readonly start: TransactionStart; readonly tryDefinition?: TryDefinition | undefined },
): Promise<RanByVersions> {
  // Connections are pinned to pg_catalog; an app's SQL expects its own search path.
  await query('SET LOCAL search_path TO DEFAULT')
  const applied: AppliedDefinition[] = []
  let now = start
  // Without a version that steps could lead from there is nothing to tell.
  const isFollowed = start.tables !== null
  let [isAltered, isWritten] = [false, false]
  const beginAnew = async () => {
    now = (await attempt(query, () => readStart(query))) ?? now
    isWritten = false
  }
  let columns = isFollowed ? await lookAtColumns(query, start) : null
  for (const run of runsOf(file)) {
    const [alters, writes] = [run.effect === 'schema', run.effect === 'rows'].map((is) => is || run.effect === 'both')
    if (isFollowed && isAltered && writes) {
      const version = await attempt(query, async () => {
        const between = await applyBetween(query, sync, { start: withRetyped(now, columns), tryDefinition })
        return { between, next: await readStart(query) }
      })
      if (version !== null) {
        if (version.between?.applied.changed) applied.push(version.between.applied)
        now = version.next
        columns = await lookAtColumns(query, now)
        isAltered = false
        isWritten = false
      }
    }
    if (isFollowed && !isAltered && isWritten && alters) await beginAnew()
    const runIt = async () => {
      await runStatement(query, file, run)
    }
    if (columns) columns = await followRetypes(query, columns, run, runIt)
    else await runIt()
    isAltered ||= alters === true
    isWritten ||= writes === true
  }
  await runStatement(query, file, { text: RUN_CHECKS, parameters: [], index: file.statements.length })
  if (isFollowed && !isAltered && isWritten) await beginAnew()
  return { start: withRetyped(now, columns), applied }
}

const withRetyped = (start: TransactionStart, columns: FollowedColumns | null): TransactionStart =>
  columns === null ? start : { ...start, retyped: columns.retyped }

/**
 * Does a part of ours between two statements of the app's and leaves its settings as they were; null, with nothing done,
 * where that fails for anything but locks.
 */
async function attempt<Result>(query: Query, run: () => Promise<Result>): Promise<Result | null> {
  await query('SAVEPOINT tidemark_within')
  try {
    const names = Object.keys(PINNED_SETTINGS)
    const [before] = await query(
      `SELECT ${names.map((name, index) => `current_setting('${name}') AS s${index}`).join(', ')}`,
    )
    const set = (values: readonly string[]) =>
      query(`SELECT ${names.map((name, index) => `set_config('${name}', $${index + 1}, true)`).join(', ')}`, values)
    await set(Object.values(PINNED_SETTINGS))
    const result = await run()
    await set(names.map((_, index) => before?.[`s${index}`] ?? ''))
    await query('RELEASE SAVEPOINT tidemark_within')
    return result
  } catch (error) {
    if (isLockFault(error)) throw error
    await query('ROLLBACK TO SAVEPOINT tidemark_within')
    await query('RELEASE SAVEPOINT tidemark_within')
    return null
  }
}
