import { type Copy, type Executor, readCopies, writeDefinition } from '../store/copies.ts'
import type { Database } from '../store/database.ts'
import { heldTables } from '../store/held-tables.ts'
import { tableOf } from '../store/replica-table.ts'
import { deleteMarksOf } from '../store/rows/chunk-rows.ts'
import { addToCount } from '../store/rows/copy-rows.ts'
import { withServerRows } from '../store/server-rows.ts'
import { countRows } from './finish-tables.ts'

/** Leaves a table out of a copy, with its rows, and goes on with the others. */
export function refuseTable(db: Database, copy: Copy, table: string, cause: string): Promise<Copy> {
  return withServerRows(db, (tx) => leaveOutTable(tx, copy, table, cause))
}

async function leaveOutTable(tx: Executor, copy: Copy, table: string, cause: string): Promise<Copy> {
  const { name } = tableOf(copy.tables, table)
  const count = await countRows(tx, name)
  const refused = { ...copy.refused, [table]: cause }
  await tx.exec(`DROP TABLE ${name} CASCADE`)
  await deleteMarksOf(tx, table)
  await addToCount(tx, copy.place, -count)
  await writeDefinition(tx, copy.place, copy.definition, { refused, behind: copy.behind, owed: copy.owed })
  const stored = (await readCopies(tx)).find(({ place }) => place === copy.place)
  const tables = heldTables(copy.definition.definition, refused, copy.place)
  return { ...copy, refused, tables, rows: stored?.rows ?? copy.rows }
}
