import {
  type ActionMutation,
  type Definition,
  type PushedMutation,
  travellingColumns,
} from '../../../protocol/index.ts'
import type { PatchStep } from './check-patch.ts'
import { lastPredicted } from './earlier.ts'
import { type Reading, readingSql } from './patch-sql.ts'

/** Returns the parameters by which a mutation's rows are read once it is done. */
export function readingsOf(
  definition: Definition,
  audiences: readonly string[],
  mutation: PushedMutation,
  steps: readonly PatchStep[],
): { reading: string | null; keys: string } {
  const read = mutation.kind === 'patch' ? readingsOfPatch(steps) : readingsOfAction(definition, audiences, mutation)
  const readings = read.readings.map((one, place) => ({ ...one, rows: read.keys[place]?.length ?? 0 }))
  return { reading: readings.length === 0 ? null : readingSql(readings), keys: JSON.stringify(read.keys) }
}

interface KeyedReadings {
  readonly readings: Omit<Reading, 'rows'>[]
  /** The rows of each reading. */
  readonly keys: { k: object; d: object }[][]
}

function readingsOfPatch(steps: readonly PatchStep[]): KeyedReadings {
  const { readings, keys, add } = collect()
  for (const { op, table, row, columns } of steps) {
    if (row.o === 'd') continue
    // For an insert, the columns that it left to the server are read as well.
    const read = op === 'update' ? columns : travellingColumns(table)
    add({ table, columns: read }, { k: row.k, d: row.d })
  }
  return { readings, keys }
}

/**
 * Skips rows that the author cannot see, which must not be asked for, and predictions of tables that are not synced,
 * which do not matter.
 */
function readingsOfAction(
  definition: Definition,
  audiences: readonly string[],
  { predicted }: ActionMutation,
): KeyedReadings {
  const { readings, keys, add } = collect()
  for (const change of lastPredicted(predicted ?? [])) {
    const table = definition.tables.find(({ id }) => id === change.t)
    const named = table?.primaryKey.filter((name) => typeof change.k[name] === 'string').length
    if (!table || named !== Object.keys(change.k).length || named !== table.primaryKey.length) continue
    if (!audiences.includes(change.a) || change.o === 'd') continue
    add({ table, columns: travellingColumns(table) }, { k: change.k, d: change.d })
  }
  return { readings, keys }
}

function collect(): KeyedReadings & { add: (reading: Omit<Reading, 'rows'>, row: { k: object; d: object }) => void } {
  const readings: Omit<Reading, 'rows'>[] = []
  const keys: { k: object; d: object }[][] = []
  const places = new Map<string, number>()
  const add = (reading: Omit<Reading, 'rows'>, row: { k: object; d: object }) => {
    const shape = JSON.stringify([reading.table.id, reading.columns.map(({ name }) => name)])
    const place = places.get(shape) ?? readings.push(reading) - 1
    places.set(shape, place)
    const rows = keys[place] ?? []
    rows.push(row)
    keys[place] = rows
  }
  return { readings, keys, add }
}
