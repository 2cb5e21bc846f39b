import { z } from 'zod'
import {
  type PatchRow,
  type PredictedChange,
  predictedChangeSchema,
  type Row,
  type Value,
} from '../../../protocol/index.ts'
import { rowName } from './check-patch.ts'

export const effectsSchema = z.array(
  z.object({ t: z.string(), k: z.record(z.string(), z.string()), d: z.record(z.string(), z.string().nullable()) }),
)
/** Values that a committed mutation left otherwise than predicted, or the basis that a rejected one had. */
export type Effects = z.infer<typeof effectsSchema>

export const earlierSchema = z.object({
  counter: z.number(),
  status: z.enum(['committed', 'rejected']),
  predicted: z.array(predictedChangeSchema).nullable(),
  effects: effectsSchema.nullable(),
})
/** A decided mutation of the same client, on which others build. */
export type Earlier = z.infer<typeof earlierSchema>

/** Knows what mutations left in rows, by their counters. */
export class EarlierMutations {
  readonly #known = new Map<number, { readonly earlier: Earlier; rows: Map<string, Row> | null }>()

  add(earlier: Earlier): void {
    this.#known.set(earlier.counter, { earlier, rows: null })
  }

  statusOf(counter: number): Earlier['status'] | null {
    return this.#known.get(counter)?.earlier.status ?? null
  }

  /**
   * Returns the value that the mutation left in this row's column, or would have built on; undefined where nothing is
   * known of it.
   */
  valueOf(counter: number, table: string, key: Row, column: string): Value | undefined {
    const entry = this.#known.get(counter)
    if (!entry) return undefined
    entry.rows ??= rowsOf(entry.earlier)
    const row = entry.rows.get(rowName(table, key))
    return row && Object.hasOwn(row, column) ? row[column] : undefined
  }
}

function rowsOf({ predicted, effects }: Earlier): Map<string, Row> {
  const rows = new Map<string, Row>()
  const lay = (table: string, key: Row, data: Row) => {
    const name = rowName(table, key)
    rows.set(name, { ...rows.get(name), ...data })
  }
  for (const change of predicted ?? []) if (change.o !== 'd') lay(change.t, change.k, change.d)
  for (const { t, k, d } of effects ?? []) lay(t, k, d)
  return rows
}

/** The counters on which the bases of a patch rest. */
export function basisCounters(rows: readonly PatchRow[]): number[] {
  const bases = rows.flatMap((row) => (row.o === 'u' ? Object.values(row.b) : []))
  return [...new Set(bases.flatMap((basis) => ('m' in basis ? [basis.m] : [])))]
}

/** Returns the values that a row's changed columns are based on, as far as they are known. */
export function basisOf(row: PatchRow, earlier: EarlierMutations): Row {
  if (row.o !== 'u') return {}
  const known = Object.entries(row.b).map(([column, basis]): [string, Value | undefined] => [
    column,
    'v' in basis ? basis.v : earlier.valueOf(basis.m, row.t, row.k, column),
  ])
  return Object.fromEntries(known.filter((entry): entry is [string, Value] => entry[1] !== undefined))
}

/** Returns the bases to keep of a rejected patch, for later edits of the same columns that were made on top of it. */
export function basisEffects(rows: readonly PatchRow[], earlier: EarlierMutations): Effects {
  return rows
    .map((row) => ({ t: row.t, k: row.k as Record<string, string>, d: basisOf(row, earlier) }))
    .filter(({ d }) => Object.keys(d).length > 0)
}

/** Returns an action's predictions for rows that still exist afterwards, each row once. */
export function lastPredicted(predicted: readonly PredictedChange[]): PredictedChange[] {
  const last = new Map<string, PredictedChange>()
  for (const change of predicted) last.set(rowName(change.t, change.k), change)
  return [...last.values()].filter((change) => change.o !== 'd')
}
