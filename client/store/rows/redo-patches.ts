import type { Executor } from '../copies.ts'

/** One statement of a patch, as `tidemark.redo_patches` takes it; `expected` null: any number of rows is right. */
export interface RedoStep {
  readonly table: string
  readonly text: string
  readonly parameter: string | null
  readonly expected: number | null
  /** It inserts rows that a sequence numbers, which stay this mutation's own whoever has their keys meanwhile. */
  readonly inserts: boolean
}

/** A patch to do again; it is not done where one of `after` could not be. */
export interface RedoPatch {
  readonly counter: number
  readonly after: readonly number[]
  readonly steps: readonly RedoStep[]
}

/** The reason why a patch could not be redone: one on which it builds, or an error of its own. */
export type PatchMiss =
  | { readonly counter: number; readonly on: number }
  | {
      readonly counter: number
      readonly fault: {
        readonly state: string
        readonly message: string
        readonly constraint: string | null
        /** Without its schema where Postgres names it. */
        readonly table: string | null
      }
    }

interface MissRow {
  readonly undone: number | string
  readonly on_counter: number | string | null
  readonly state: string | null
  readonly message: string | null
  readonly constraint_name: string | null
  readonly table_name: string | null
}

/** Does patches again in their order, each whole or not at all, and answers those that could not be done. */
export async function redoPatches(tx: Executor, patches: readonly RedoPatch[]): Promise<PatchMiss[]> {
  const { rows } = await tx.query<MissRow>('SELECT * FROM tidemark.redo_patches($1)', [JSON.stringify(patches)])
  return rows.map(({ undone, on_counter, state, message, constraint_name, table_name }): PatchMiss => {
    const counter = Number(undone)
    if (on_counter !== null) return { counter, on: Number(on_counter) }
    const fault = { state: state ?? '', message: message ?? '', constraint: constraint_name || null, table: table_name }
    return { counter, fault }
  })
}
