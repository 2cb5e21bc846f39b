import type { Transaction as PGliteTransaction } from '@electric-sql/pglite'
import { LIMITS, TidemarkError, toTidemarkError } from '../../protocol/index.ts'
import { type ActionCall, type ActionRunner, UnknownAction } from '../mutations/run-action.ts'
import { flagCascades, sealNewPatches } from '../mutations/seal-patches.ts'
import type { CallOrigin } from '../store/call-origin.ts'
import type { Executor } from '../store/copies.ts'
import type { ReplicaTables } from '../store/replica-table.ts'
import { beginAction, readPatchSize, setCallOfCurrent } from '../store/rows/mutation-rows.ts'
import { readCurrentMutation } from '../store/rows/settings.ts'
import { readWritesOf } from '../store/rows/write-rows.ts'

/** What mutations are made with: the tables that the app may write, and its actions. */
export interface Making {
  readonly tables: ReplicaTables
  readonly actions: ActionRunner
  /** Runs an action twice where it is called, and warns where the two differ. */
  readonly development: boolean
  /** The tab's call for which it is made; null where there are no tabs. */
  readonly by: CallOrigin | null
}

/** Runs an action in a transaction that is open, and answers its counter. Rejects with what the action throws. */
export async function makeAction(
  tx: PGliteTransaction,
  { tables, actions, development, by }: Making,
  name: string,
  args: string,
): Promise<number> {
  const call = { name, args, ...(await beginAction(tx, name, args)) }
  if (development) await compareRuns(tx, tables, actions, call)
  await actions.runAction(tx, tables, call)
  await flagCascades(tx, tables, [call.counter])
  if (by) await setCallOfCurrent(tx, by)
  return call.counter
}

/**
 * Runs `work` as one mutation in a transaction that is open; `counter` is null where it wrote nothing that is synced. Rejects with
 * what it throws.
 *
 * Throws `limit-exceeded` where it wrote more than a mutation may.
 */
export async function makeTransaction<Result>(
  tx: PGliteTransaction,
  { tables, by }: Pick<Making, 'tables' | 'by'>,
  work: (tx: PGliteTransaction) => Promise<Result>,
): Promise<{ readonly counter: number | null; readonly result: Result }> {
  const result = await work(tx)
  if (tx.closed) return { counter: null, result }
  const counter = await readCurrentMutation(tx)
  if (counter === null) return { counter, result }
  await sealNewPatches(tx, tables)
  await checkSize(tx, counter)
  if (by) await setCallOfCurrent(tx, by)
  return { counter, result }
}

/** Answers the arguments of an action as JSON. Throws `bad-input` where it or they are not known, `limit-exceeded`. */
export function argsOf(actions: ActionRunner, name: string, args: unknown): string {
  try {
    const json = JSON.stringify(args ?? null)
    if (json.length > LIMITS.mutationChars)
      throw new TidemarkError('limit-exceeded', `The arguments of ${name} are larger than a mutation may be.`)
    actions.checkCall(name, json)
    return json
  } catch (error) {
    if (error instanceof UnknownAction)
      throw new TidemarkError('bad-input', `${error.message} Declare it in the sync definition.`)
    throw toTidemarkError(error, 'bad-input')
  }
}

/** Rule ACT-R4. */
async function compareRuns(
  tx: PGliteTransaction,
  tables: ReplicaTables,
  actions: ActionRunner,
  call: ActionCall,
): Promise<void> {
  const runs: string[] = []
  for (let run = 0; run < 2; run++) {
    await tx.exec('SAVEPOINT tidemark_rehearsal')
    await actions.runAction(tx, tables, call)
    const writes = await readWritesOf(tx, [call.counter])
    runs.push(JSON.stringify(writes.map(({ table, key, op, before, after }) => [table, key, op, before, after])))
    await tx.exec('ROLLBACK TO SAVEPOINT tidemark_rehearsal; RELEASE SAVEPOINT tidemark_rehearsal')
  }
  if (runs[0] === runs[1]) return
  console.warn(
    `tidemark: action ${call.name} wrote other values when it was run twice. It may use only sql, id, key, now, user and its arguments.`,
  )
}

async function checkSize(tx: Executor, counter: number): Promise<void> {
  const size = await readPatchSize(tx, counter)
  if (!size || (size.rows <= LIMITS.mutationRows && size.chars <= LIMITS.mutationChars)) return
  const message = `One transaction may write ${LIMITS.mutationRows} synced rows and ${LIMITS.mutationChars} characters: write in several.`
  throw new TidemarkError('limit-exceeded', message)
}
