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
import { runFile } from './run-file.ts'

/** Runs in a transaction of its own, perhaps more than once; or in one that is open already. */
export type InTransaction = <Result>(run: (query: Query) => Promise<Result>) => Promise<Result>

export interface FilesToRun {
  readonly files: readonly MigrationFile[]
  /** False where more files would follow: what the app declares then stays out of force. */
  readonly whole: boolean
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
  { files, whole }: FilesToRun,
  sync: Sync,
  tryDefinition: TryDefinition | undefined,
  ran: string[],
): Promise<AppliedFiles> {
  const tables = declaredNames(sync)
  const parts: readonly (MigrationFile | null)[] = files.length > 0 ? files : [null]
  const notes: string[] = []
  const applied: AppliedDefinition[] = []
  const first: { before: DefinitionInForce | null } = { before: null }
  for (const [index, file] of parts.entries()) {
    const isLast = index === parts.length - 1
    const followed = await inTransaction(async (query) => {
      // Existing tables are locked first: a file that has run for long would otherwise be run again for each try.
      await lockJoining(query, tables)
      const start = await readStart(query)
      if (index === 0) first.before = await readDefinitionInForce(query)
      if (file) await runFile(query, file)
      const {
        applied: now,
        notes: said,
        faults,
      } = file && !(isLast && whole)
        ? await followFile(query, sync, { start, tryDefinition, ran: file })
        : wholeOf(await applyDefinition(query, sync, { start, tryDefinition, ran: file }))
      if (file && whole && faults.length > 0)
        await requireMended(query, sync, file, files.slice(index + 1), tryDefinition)
      const effects = isLast ? await effectsOf(query, first.before, [...applied, ...now]) : []
      return { applied: now, notes: [...said, ...effects] }
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
