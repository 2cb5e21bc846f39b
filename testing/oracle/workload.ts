import type { Random } from './random.ts'
import { KINDS, MEASURE_KINDS } from './workload-kinds.ts'
import { bulk, insertItem, ORGS, type Statement, statement } from './workload-statements.ts'

/** One transaction as planned; the server decides too whether it commits. */
export interface PlannedTransaction {
  readonly index: number
  readonly statements: readonly Statement[]
  readonly end: 'commit' | 'rollback'
}

export interface WorkloadOptions {
  readonly transactions: number
  /** Rows of the largest transactions. */
  readonly bulkRows: number
  /** True where the table of numeric and float columns is synced. */
  readonly numbers: boolean
}

/** Plans transactions from the seed alone, never from what the database answers: the same seed, the same plan (ORA-02). */
export function planWorkload(random: Random, options: WorkloadOptions): PlannedTransaction[] {
  const kinds = options.numbers ? { ...KINDS, ...MEASURE_KINDS } : KINDS
  const weights = Object.fromEntries(Object.entries(kinds).map(([name, { weight }]) => [name, weight]))
  const bulkEvery = Math.max(12, Math.floor(options.transactions / 10))
  return Array.from({ length: options.transactions }, (_, index) => {
    const own = random.fork(String(index))
    if (index % bulkEvery === bulkEvery - 1) return { index, statements: bulk(own, options.bulkRows), end: 'commit' }
    const count = 1 + own.below(own.chance(0.1) ? 30 : 5)
    const statements: Statement[] = []
    for (let made = 0; made < count; made++) {
      const piece = (kinds[own.weighted(weights)] ?? KINDS.insertItem)?.make(own) ?? []
      if (!own.chance(0.1)) statements.push(...piece)
      else statements.push(statement('SAVEPOINT undone'), ...piece, statement('ROLLBACK TO SAVEPOINT undone'))
    }
    return { index, statements, end: own.chance(0.06) ? 'rollback' : 'commit' }
  })
}

/** Rows that exist before anything is captured, so that the first snapshot has something to show. */
export function seedStatements(random: Random): Statement[] {
  return [
    ...ORGS.map((id, index) => statement('INSERT INTO public.org (id, name) VALUES ($1, $2)', id, `Org ${index + 1}`)),
    ...Array.from({ length: 60 }, () => insertItem(random)),
    ...Array.from({ length: 30 }, () => KINDS.upsertProject?.make(random) ?? []).flat(),
    ...Array.from({ length: 20 }, () => KINDS.insertNote?.make(random) ?? []).flat(),
    ...Array.from({ length: 30 }, () => KINDS.insertRemark?.make(random) ?? []).flat(),
    ...Array.from({ length: 20 }, () => KINDS.upsertFace?.make(random) ?? []).flat(),
    ...Array.from({ length: 6 }, () => KINDS.upsertSetting?.make(random) ?? []).flat(),
  ]
}
