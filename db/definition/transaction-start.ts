import { type DefinitionInForce, quoteTable } from '../../protocol/index.ts'
import type { Query } from '../query.ts'
import { columnsInDoubt, compareShapes } from './compare-shapes.ts'
import { readDefinitionInForce } from './definition-in-force.ts'
import type { RetypedColumns } from './retyped-columns.ts'
import { readShapes, type TableShape } from './table-shape.ts'

/** The synced tables as a transaction found them before it altered any. */
export interface TransactionStart {
  /** Ids of tables that others had altered by then. */
  readonly drifted: ReadonlySet<string>
  /** The base that steps are derived from; null: this transaction makes none. */
  readonly tables: TablesAtStart | null
  /** True where the transaction has held the tables against alterations by others since it read them. */
  readonly isHeld: boolean
  /** How the transaction made values of columns others since; absent: nobody looked. */
  readonly retyped?: RetypedColumns
}

export interface TablesAtStart {
  readonly version: number
  /** By id, those alone that are beyond doubt what the version says. */
  readonly shapes: ReadonlyMap<string, TableShape>
  readonly written: WriteCounts
}

/** The oids of a table and of its leaves, which alone have rows where it is partitioned. */
export const relationsOf = ({ relation, leaves }: TableShape): readonly string[] => [
  relation,
  ...leaves.map((leaf) => leaf.relation),
]

/** Rows inserted, updated and deleted so far, by the relation's oid; absent where none were. */
export type WriteCounts = ReadonlyMap<string, string>

/** The start of a transaction of which nothing is known: every table that it changes is loaded anew. */
export const UNKNOWN_START: TransactionStart = { drifted: new Set(), tables: null, isHeld: false }

/**
 * Reads the tables of the definition in force, for a transaction that is about to alter some itself; to be called
 * before its first alteration, under `PINNED_SETTINGS`.
 *
 * It holds them against alterations by others to the end of the transaction, so that whatever is found altered then is
 * this transaction's doing. Raises 55P03 where another alters one of them now.
 */
export async function readStart(query: Query): Promise<TransactionStart> {
  const inForce = await readDefinitionInForce(query)
  if (inForce === null) return UNKNOWN_START
  await keepOthersOut(query, inForce)
  const shapes = await readShapes(query, inForce)
  const drifted = new Set(compareShapes(inForce, shapes).map(({ table }) => table))
  const doubted = new Set(columnsInDoubt(inForce, shapes).map(({ table }) => table.id))
  const certain = [...shapes].flatMap(([id, { before, now }]): [string, TableShape][] =>
    before === null || now === null || drifted.has(id) || doubted.has(id) ? [] : [[id, now]],
  )
  const written = await readWriteCounts(query)
  return { drifted, tables: { version: inForce.version, shapes: new Map(certain), written }, isHeld: true }
}

/** The weakest lock there is, which readers and writers of the app do not notice; every ALTER waits for it. */
export async function keepOthersOut(query: Query, { definition, watched = [] }: DefinitionInForce): Promise<void> {
  const wanted = [...new Set([...definition.tables, ...watched].map(quoteTable))]
  const found = await query(
    `SELECT wanted.name FROM json_array_elements_text($1::json) AS wanted(name)
     JOIN pg_class c ON c.oid = to_regclass(wanted.name) AND c.relkind IN ('r', 'p')`,
    [JSON.stringify(wanted)],
  )
  if (found.length > 0) await query(`LOCK TABLE ${found.map(({ name }) => name).join(', ')} IN ACCESS SHARE MODE`)
}

const TUPLES = ['inserted', 'updated', 'deleted'].map((kind) => `pg_stat_get_xact_tuples_${kind}(c.oid)`).join(' + ')

/**
 * Reads what this session has counted of its own writes and not yet reported: all of the open transaction, whoever ran
 * them (statements, triggers, cascades, functions; undone ones too), and perhaps some of the one before. Only a
 * difference between two looks within a transaction says that it wrote.
 */
async function readWriteCounts(query: Query): Promise<WriteCounts> {
  const rows = await query(
    `SELECT c.oid::text AS relation, (${TUPLES})::text AS count FROM pg_class c WHERE c.relkind = 'r' AND ${TUPLES} > 0`,
  )
  return new Map(rows.map(({ relation, count }) => [relation ?? '', count ?? '']))
}

/**
 * Reads which relations this transaction wrote since `start`, by oid; null where the server counts no writes, so that none
 * would be seen.
 */
export async function readWritten(query: Query, start: TablesAtStart): Promise<ReadonlySet<string> | null> {
  const [row] = await query(`SELECT current_setting('track_counts') AS counts`)
  if (row?.counts !== 'on') return null
  const counts = await readWriteCounts(query)
  return new Set([...counts].filter(([relation, count]) => start.written.get(relation) !== count).map(([one]) => one))
}

/**
 * Leaves out of the columns in doubt those that this transaction itself altered, again perhaps, while it wrote no row of
 * their table and others could not alter it: nothing in the log tells a row by what they were in between.
 */
export async function withoutOwnDoubts<Doubt extends { readonly table: { readonly id: string } }>(
  query: Query,
  { tables, isHeld }: TransactionStart,
  version: number,
  doubts: readonly Doubt[],
): Promise<readonly Doubt[]> {
  const written = isHeld && tables?.version === version && doubts.length > 0 ? await readWritten(query, tables) : null
  if (written === null) return doubts
  return doubts.filter(({ table }) => {
    const shape = tables?.shapes.get(table.id)
    return shape === undefined || relationsOf(shape).some((relation) => written.has(relation))
  })
}
