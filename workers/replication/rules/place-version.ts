import type { ProposedStep, ToldColumn } from '../../../db/definition/propose-steps.ts'
import type { Lsn } from '../../../protocol/index.ts'

/** Rows of one look that the log tells of a table, from the place where capture stands. */
export interface ToldRows {
  readonly relation: string
  readonly columns: readonly Pick<ToldColumn, 'name' | 'type'>[]
  /** The first and the last transaction that has such a row, counted in the order of their commits. */
  readonly first: number
  readonly last: number
  /** End of the first. */
  readonly firstEnd: Lsn
}

export interface ToldWindow {
  readonly rows: readonly ToldRows[]
  /** The transaction that stores the version. */
  readonly storedBy: number
}

/** The place of a version in history, and the tables that replicas make from what they have. */
export interface VersionPlace {
  readonly tables: readonly string[]
  /** End of the transaction before which it comes in force; null: with the transaction that stores it. */
  readonly before: Lsn | null
}

interface Bounds {
  readonly table: string
  /** The last transaction with rows that only the version before tells, 0 for none. */
  readonly after: number
  /** The first transaction with rows that only this version tells. */
  readonly before: number
  readonly beforeEnd: Lsn | null
}

/**
 * Places a version whose steps were proposed: rows of each table below its place look as the version before has them,
 * rows above it as this one does. A table for which there is no such place is left out, so that it is loaded.
 */
export function placeVersion(
  { isAlone, steps }: { readonly isAlone: boolean; readonly steps: readonly (ProposedStep & { readonly seen: Lsn })[] },
  { rows, storedBy }: ToldWindow,
): VersionPlace {
  const bounds = steps.flatMap(
    (step) =>
      boundsOf(
        step,
        rows.filter(({ first }) => first <= storedBy),
      ) ?? [],
  )
  const placed = bounds.filter(({ after }) => after < storedBy)
  const first = [...placed].sort((one, other) => one.before - other.before)[0]
  const isBetween = placed.every(({ after }) => first !== undefined && after < first.before)
  if (first && isAlone && placed.length === steps.length && isBetween)
    return { tables: placed.map(({ table }) => table), before: first.beforeEnd }
  return { tables: placed.filter(({ before }) => before > storedBy).map(({ table }) => table), before: null }
}

function boundsOf(step: ProposedStep & { readonly seen: Lsn }, told: readonly ToldRows[]): Bounds | null {
  let bounds: Bounds = { table: step.step.table, after: 0, before: Number.POSITIVE_INFINITY, beforeEnd: null }
  for (const { columns, first, last, firstEnd } of told.filter(({ relation }) => relation === step.relation)) {
    const isOld = looksLike(columns, step.before)
    const isNew = looksLike(columns, step.after)
    if (firstEnd <= step.seen || !(isOld || isNew)) return null
    // It may hold what the version before does not take, though nothing shows that.
    if (step.isLooser && !isNew) return null
    if (!isNew) bounds = { ...bounds, after: Math.max(bounds.after, last) }
    else if ((!isOld || step.isLooser) && first < bounds.before)
      bounds = { ...bounds, before: first, beforeEnd: firstEnd }
  }
  return bounds.after < bounds.before ? bounds : null
}

/** pgoutput tells generated columns from Postgres 18 on. */
function looksLike(told: ToldRows['columns'], columns: readonly ToldColumn[]): boolean {
  const textOf = (some: ToldRows['columns']) => JSON.stringify(some.map(({ name, type }) => [name, type]))
  return [columns, columns.filter(({ isGenerated }) => !isGenerated)].some((some) => textOf(some) === textOf(told))
}
