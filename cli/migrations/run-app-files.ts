import type { Sync } from '../../db/define-sync.ts'
import { type AppliedDefinition, applyDefinition, type TryDefinition } from '../../db/definition/apply-definition.ts'
import { declaredNames } from '../../db/definition/declared-table.ts'
import { readDefinitionInForce } from '../../db/definition/definition-in-force.ts'
import { lockJoining } from '../../db/definition/lock-joining.ts'
import { replicaEffects } from '../../db/definition/replica-effects.ts'
import { readStart } from '../../db/definition/transaction-start.ts'
import type { Query } from '../../db/query.ts'
import type { DefinitionInForce } from '../../protocol/index.ts'
import { describeEffects } from './describe-effects.ts'
import { type Followed, followFile, requireMended } from './follow-file.ts'
import type { MigrationFile } from './migration-file.ts'
import { recordFile } from './record-file.ts'
import { runByVersions } from './run-by-versions.ts'

/** Runs in a transaction of its own, perhaps more than once; or in one that is open already. `what` is run, to be shown. */
export type InTransaction = <Result>(what: string, run: (query: Query) => Promise<Result>) => Promise<Result>

export interface FilesToRun {
  readonly files: readonly MigrationFile[]
  /** False where more files would follow: what the app declares then stays out of force. */
  readonly whole: boolean
  /** Does what of a file comes before its transaction, and answers what to say of it; absent where there is one transaction for all. */
  readonly runBatches?: (file: MigrationFile) => Promise<string | null>
}

export interface AppliedFiles {
  readonly definition: { readonly version: number; readonly hash: string; readonly changed: boolean }
  readonly notes: readonly string[]
}

/**
 * Runs the app's files, each in one transaction with what follows from it for the definition; the whole of what the app
 * declares comes in force with the last. The name of each file joins `ran` once its transaction has ended.
 */
export async function runAppFiles(
  inTransaction: InTransaction,
  { files, whole, runBatches }: FilesToRun,
  sync: Sync,
  tryDefinition: TryDefinition | undefined,
  ran: string[],
): Promise<AppliedFiles> {
  const tables = declaredNames(sync)
  const runs: readonly (MigrationFile | null)[] = files.length > 0 ? files : [null]
  const notes: string[] = []
  const applied: AppliedDefinition[] = []
  const first: { before: DefinitionInForce | null } = { before: null }
  for (const [index, file] of runs.entries()) {
    const isLast = index === runs.length - 1
    const batched = file ? await runBatches?.(file) : null
    if (batched) notes.push(batched)
    const followed = await inTransaction(file?.name ?? 'The sync definition', async (query) => {
      // Existing tables are locked first: a file that has run for long would otherwise be run again for each try.
      await lockJoining(query, tables)
      const begun = await readStart(query)
      const before = await readDefinitionInForce(query)
      if (index === 0) first.before = before
      const { start, applied: parts } = file
        ? await runByVersions(query, sync, file, { start: begun, tryDefinition })
        : { start: begun, applied: [] }
      if (file) await recordFile(query, file)
      const change = { start, tryDefinition, within: before && { before, versions: parts } }
      const {
        applied: last,
        notes: said,
        faults,
      } = file && !(isLast && whole)
        ? await followFile(query, sync, { ...change, ran: file })
        : wholeOf(await applyDefinition(query, sync, { ...change, ran: file }))
      const now = [...parts, ...last]
      if (file && whole && faults.length > 0)
        await requireMended(query, sync, file, files.slice(index + 1), tryDefinition)
      const effects = isLast ? await effectsOf(query, first.before, [...applied, ...now]) : []
      return { applied: now, notes: [...parts.flatMap(({ notes: earlier }) => earlier), ...said, ...effects] }
    })
    if (file) ran.push(file.name)
    applied.push(...followed.applied)
    notes.push(...followed.notes)
  }
  const { version, hash } = applied.at(-1) ?? first.before ?? { version: 0, hash: '' }
  return { definition: { version, hash, changed: applied.some(({ changed }) => changed) }, notes }
}

const wholeOf = (applied: AppliedDefinition): Followed => ({ applied: [applied], notes: applied.notes, faults: [] })

/** Without a definition before there are no replicas. */
async function effectsOf(
  query: Query,
  before: DefinitionInForce | null,
  applied: readonly AppliedDefinition[],
): Promise<string[]> {
  if (before === null) return []
  return await describeEffects(
    query,
    replicaEffects(
      before,
      applied.filter(({ changed }) => changed),
    ),
  )
}
