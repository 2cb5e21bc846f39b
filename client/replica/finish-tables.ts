import type { Executor } from '../store/copies.ts'
import { addPrimaryKey, type Finishing, finishings } from '../store/definition-ddl.ts'
import type { ReplicaTable } from '../store/replica-table.ts'
import { storageFault } from '../store/storage-fault.ts'

/** ANALYZE looks at a third of its usual rows, 9,000 of a table: the app waits meanwhile. */
const STATISTICS_TARGET = 30

export async function countRows(tx: Executor, table: string): Promise<number> {
  const { rows } = await tx.query<{ count: number | string }>(`SELECT count(*) AS count FROM ${table}`)
  return Number(rows[0]?.count ?? 0)
}

export async function ensurePrimaryKeys(tx: Executor, tables: Iterable<ReplicaTable>): Promise<void> {
  const all = [...tables]
  if (all.length === 0) return
  const made = await readMade(tx, all)
  const missing = all.filter(({ name }) => !made.has(madeKey(name, 'primary', '')))
  if (missing.length > 0) await tx.exec(missing.map(addPrimaryKey).join(';\n'))
}

export async function finishTables(
  tx: Executor,
  tables: readonly ReplicaTable[],
  isFilled: (table: ReplicaTable) => boolean,
): Promise<void> {
  if (tables.length === 0) return
  const made = await readMade(tx, tables)
  const missing = finishings(tables).filter(({ table, kind, name }) => !made.has(madeKey(table.name, kind, name)))
  // A foreign key fails where its parents are not all seen here, and is not to take an index of many rows with it.
  await makeFinishings(
    tx,
    missing.filter((item) => !isForeignKey(item)),
  )
  await makeFinishings(tx, missing.filter(isForeignKey))
  const filled = tables.filter(isFilled)
  if (filled.length === 0) return
  const analyzed = filled.map(({ name }) => name).join(', ')
  await tx.exec(`SET LOCAL default_statistics_target = ${STATISTICS_TARGET}; ANALYZE ${analyzed}`)
}

const isForeignKey = ({ kind, statement }: Finishing) => kind === 'constraint' && statement.includes(' FOREIGN KEY ')

/** Makes these in one call of the database, or each by itself where one of them cannot be made. */
async function makeFinishings(tx: Executor, items: readonly Finishing[]): Promise<void> {
  if (items.length === 0) return
  // An index or constraint that PGlite cannot make costs speed or a local check, never rows.
  const statements = items.map(({ statement }) => statement)
  try {
    await tx.exec(['SAVEPOINT finishing', ...statements, 'RELEASE SAVEPOINT finishing'].join(';\n'))
  } catch (error) {
    // A device that has no room for it has none for the rows to come.
    if (storageFault(error)) throw error
    await tx.exec('ROLLBACK TO SAVEPOINT finishing; RELEASE SAVEPOINT finishing')
    if (items.length > 1) for (const item of items) await makeFinishings(tx, [item])
  }
}

const madeKey = (table: string, kind: 'primary' | Finishing['kind'], name: string) => `${kind} ${name} of ${table}`

/** Reads which keys, constraints and indexes these tables have. */
async function readMade(tx: Executor, tables: readonly ReplicaTable[]): Promise<Set<string>> {
  const { rows } = await tx.query<{ table: string; kind: 'primary' | Finishing['kind']; name: string }>(
    `WITH named AS (SELECT name, to_regclass(name) AS oid FROM json_array_elements_text($1::text::json) AS named(name))
     SELECT t.name AS table, made.kind, made.name FROM named t, LATERAL (
       SELECT 'constraint' AS kind, k.conname::text AS name FROM pg_constraint k WHERE k.conrelid = t.oid
       UNION ALL SELECT 'primary', '' FROM pg_constraint k WHERE k.conrelid = t.oid AND k.contype = 'p'
       UNION ALL SELECT 'index', c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = t.oid
     ) made`,
    [JSON.stringify(tables.map(({ name }) => name))],
  )
  return new Set(rows.map(({ table, kind, name }) => madeKey(table, kind, name)))
}
