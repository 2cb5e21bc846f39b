import type { PatchRow, Row } from '../../../protocol/index.ts'
import { dependencies, type Effects } from '../../mutations/rules/dependents.ts'
import { rowName } from '../../mutations/rules/merge-rows.ts'
import { orderRows } from '../../mutations/rules/order-rows.ts'
import { type PatchTables, patchTables } from '../../mutations/rules/patch-of-writes.ts'
import { type Squash, type Squashable, squash } from '../../mutations/rules/squash.ts'
import { tableTies } from '../../mutations/rules/table-ties.ts'
import { keyRow, keyText, type ReplicaTables, tableOf } from '../../store/replica-table.ts'
import type { UnsentMutations } from '../../store/rows/sending-rows.ts'
import type { StoredWrite } from '../../store/rows/write-rows.ts'
import { changedColumns, rowId } from '../../store/rules/captured-write.ts'

/** The result of squashing unsent mutations: the squashes, and for each mutation those on which it builds then. */
export interface UnsentSquashes {
  /** Their rows stand in an order that constraints allow. */
  readonly squashes: readonly Squash[]
  readonly after: ReadonlyMap<number, readonly number[]>
}

/** Finds what each unsent mutation does, on which others it builds, and what it is squashed into. */
export function squashUnsent({ fresh, writes }: UnsentMutations, held: ReplicaTables): UnsentSquashes {
  const tables = patchTables(held)
  const byCounter = Map.groupBy(writes, (write) => write.counter)
  const effects = [...byCounter].map(([number, own]) => effectsOf(number, own)).sort((a, b) => a.counter - b.counter)
  const after = dependencies(effects, tables.keys)
  const squashables = fresh.map(({ counter, kind, tab, patch, sealed, effective }): Squashable => {
    const own = byCounter.get(counter) ?? []
    return {
      counter,
      kind,
      tab,
      open: kind === 'patch' && !sealed && effective,
      rows: patch ?? [],
      cascaded: own.filter(({ cascade }) => cascade).map((write) => nameOfWrite(write, held)),
      after: after.get(counter) ?? [],
    }
  })
  const squashes = squash(squashables, tableTies(tables))
  for (const one of squashes) after.set(one.counter, [...one.after])
  const headOf = new Map(squashes.flatMap(({ counter: head, squashed }) => squashed.map((one) => [one, head])))
  const renamed = [...after].map(([number, on]): [number, number[]] => [
    number,
    [...new Set(on.map((one) => headOf.get(one) ?? one))].filter((one) => one !== number),
  ])
  return {
    squashes: squashes.map((one) => ({ ...one, rows: orderNetRows(one, byCounter, tables) })),
    after: new Map(renamed),
  }
}

const nameOfWrite = ({ table: t, before, after }: StoredWrite, tables: ReplicaTables) =>
  rowName({ t, k: keyRow(tables, t, before ?? after ?? {}) })

function effectsOf(number: number, writes: readonly StoredWrite[]): Effects {
  const own = writes.filter(({ cascade }) => !cascade)
  return {
    counter: number,
    rows: own.map(({ table, key, op, before, after }) => {
      const changed = before && after ? changedColumns(before, after) : []
      const values = op === 'update' ? Object.fromEntries(changed.map((name) => [name, after?.[name] ?? null])) : after
      return { table, key, op, values }
    }),
  }
}

/** Puts the net rows of several patches in an order that constraints allow. */
function orderNetRows(
  { counter: head, squashed, rows }: Squash,
  writes: ReadonlyMap<number, readonly StoredWrite[]>,
  tables: PatchTables,
): readonly PatchRow[] {
  if (squashed.length === 0) return rows
  const firsts = new Map<string, Row | null>()
  const lasts = new Map<string, Row | null>()
  for (const write of [head, ...squashed].flatMap((number) => writes.get(number) ?? [])) {
    const id = rowId(write.table, write.key)
    if (!firsts.has(id)) firsts.set(id, write.before)
    lasts.set(id, write.after)
  }
  const nets = rows.map((row) => {
    const id = rowId(row.t, keyText(tableOf(tables.tables, row.t), row.k))
    return {
      row,
      before: row.o === 'i' ? null : (firsts.get(id) ?? null),
      after: row.o === 'd' ? null : (lasts.get(id) ?? null),
    }
  })
  return orderRows(nets, tables.keys, tables.uniques)
}
