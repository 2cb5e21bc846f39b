import { TidemarkError } from '../../protocol/index.ts'
import type { LocalStore } from '../mutations/local-store.ts'
import { Rebase } from '../rebase/rebase.ts'
import { scopeOf } from '../rebase/rebase-scope.ts'
import type { Copy, Executor } from '../store/copies.ts'
import type { ReplicaTable } from '../store/replica-table.ts'
import { findPlace, type KeyPlace, type RowSum, sumRows } from '../store/rows/row-sums.ts'
import { pinSettings } from '../store/rows/settings.ts'
import { withServerRows } from '../store/server-rows.ts'
import type { Sum, TableSums } from './rules/judge-sums.ts'

/** Rows of one look; what the app asks of the database comes between two of them. */
const LOOK_ROWS = 2_000

interface Looked {
  readonly sums: readonly RowSum[]
  readonly upTo: KeyPlace | null
}

/** Carries what was read out of a transaction that is to leave nothing behind. */
class Seen<Result> extends Error {
  readonly result: Result

  constructor(result: Result) {
    super('What was looked at is undone.')
    this.result = result
  }
}

/** Adds up the rows of a table as the server knows them, without the app's own pending work on them. */
export async function sumTable(
  store: LocalStore,
  copy: Copy,
  table: ReplicaTable,
  signal: AbortSignal,
): Promise<TableSums> {
  const found = new Map<string, { rows: number; digest: bigint }>()
  let after: KeyPlace | null = null
  do {
    if (signal.aborted) throw new TidemarkError('unavailable', 'The check was broken off.')
    const looked: Looked = await lookFrom(store, copy, table, after)
    for (const sum of looked.sums) addSum(found, table, sum)
    after = looked.upTo
  } while (after !== null)
  return new Map(
    [...found].map(([audience, { rows, digest }]): [string, Sum] => [audience, { rows, digest: String(digest) }]),
  )
}

function addSum(
  found: Map<string, { rows: number; digest: bigint }>,
  { audience: rule }: ReplicaTable,
  sum: RowSum,
): void {
  const audience = 'constant' in rule ? rule.constant : `${rule.prefix}:${sum.value}`
  const { rows, digest } = found.get(audience) ?? { rows: 0, digest: 0n }
  found.set(audience, { rows: rows + sum.rows, digest: digest + sum.digest })
}

function lookFrom(store: LocalStore, copy: Copy, table: ReplicaTable, after: KeyPlace | null): Promise<Looked> {
  return look(store, copy, async (tx) => {
    const upTo = await findPlace(tx, table, after, LOOK_ROWS)
    return { sums: await sumRows(tx, table, after, upTo), upTo }
  })
}

/** Reads in a transaction in which everything pending is undone, and that is rolled back then. */
async function look<Result>(
  { db, actions }: LocalStore,
  copy: Copy,
  read: (tx: Executor) => Promise<Result>,
): Promise<Result> {
  try {
    return await withServerRows(db, async (tx, hasPending) => {
      await pinSettings(tx)
      if (!hasPending) return read(tx)
      const rebase = await Rebase.open(tx, scopeOf(copy, actions))
      await rebase.undoMutations(rebase.counters)
      throw new Seen(await read(tx))
    })
  } catch (error) {
    if (error instanceof Seen) return error.result as Result
    throw error
  }
}
