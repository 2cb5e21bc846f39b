import { readFile } from 'node:fs/promises'
import type { PGlite } from '@electric-sql/pglite'
import type { TryDefinition } from '../../db/definition/apply-definition.ts'
import {
  type Definition,
  liveColumns,
  primaryKeySql,
  quoteIdentifier,
  quoteTable,
  type TableDefinition,
  uniqueSql,
} from '../../protocol/index.ts'

/** A database as replicas have it, in which the tables of a definition are made once before any replica has to. */
export interface ReplicaTrial {
  readonly tryDefinition: TryDefinition
  close(): Promise<void>
}

/**
 * Postgres fills its buffers with zeros at each start, which takes longer than everything else here; small ones do,
 * because nothing is read.
 */
const SMALL = ['-c', 'shared_buffers=16MB']

/**
 * Starts a trial. It takes a second, and many where the package lacks its image: call this before anything is locked.
 */
export async function startReplicaTrial(): Promise<ReplicaTrial> {
  // Imported here, because no other command needs it.
  const { PGlite } = await import('@electric-sql/pglite')
  const image = await imageIfThere()
  const database = await PGlite.create({
    startParams: [...PGlite.defaultStartParams, ...SMALL],
    ...(image ? { loadDataDir: image } : {}),
  })
  // As when replicas make tables: triggers forbid what a replica forbids its app.
  await database.exec('SET session_replication_role = replica')
  // What stands in a replica's defaults, so that it can be named; it is never called here.
  await database.exec(`CREATE SCHEMA IF NOT EXISTS tidemark; CREATE OR REPLACE FUNCTION tidemark.next_key(
    of_sequence text, of_table text, of_column text)
    RETURNS bigint LANGUAGE sql AS 'SELECT 1'`)
  // What was tried before anything was locked is not tried again while others wait.
  const tried = new Map<string, readonly string[]>()
  return {
    tryDefinition: async (definition) => {
      const text = JSON.stringify(definition)
      const faults = tried.get(text) ?? (await findUnmakeable(database, definition))
      tried.set(text, faults)
      return faults
    },
    close: () => database.close(),
  }
}

/** Reads the image that new replicas start from; null before a build. */
async function imageIfThere(): Promise<Blob | null> {
  try {
    const image = await readFile(new URL('../../client/store/database-image.bin', import.meta.url))
    return new Blob([image], { type: 'application/gzip' })
  } catch {
    return null
  }
}

/** Leaves nothing behind, because the next definition is tried in the same database. */
async function findUnmakeable(database: PGlite, definition: Definition): Promise<string[]> {
  await database.exec('BEGIN')
  try {
    return await makeEach(database, definition)
  } finally {
    await database.exec('ROLLBACK')
  }
}

/** Runs a statement, and takes it back where it fails; answers what was said of it then. */
async function faultOf(database: PGlite, statement: string): Promise<string | null> {
  try {
    await database.exec(`SAVEPOINT attempt; ${statement}`)
    return null
  } catch (error) {
    await database.exec('ROLLBACK TO SAVEPOINT attempt')
    return error instanceof Error ? error.message : String(error)
  }
}

/** Adds the columns of a table one by one, those last that are computed from others, and says which fail. */
async function findUnmakeableColumns(database: PGlite, table: TableDefinition): Promise<string[]> {
  await faultOf(database, `CREATE TABLE ${quoteTable(table)} ()`)
  const isComputed = ({ generated }: TableDefinition['columns'][number]) => generated !== null
  const ordered = [...table.columns.filter((column) => !isComputed(column)), ...table.columns.filter(isComputed)]
  const faults: string[] = []
  for (const column of ordered) {
    const sql = liveColumns({ ...table, columns: [column] })
    const said = await faultOf(database, `ALTER TABLE ${quoteTable(table)} ADD COLUMN ${sql}`)
    if (said !== null) faults.push(`column ${sql}: ${said}`)
  }
  return faults
}

/** Runs each statement by itself, so that all faults are reported at once. */
async function makeEach(database: PGlite, definition: Definition): Promise<string[]> {
  const faults: string[] = []
  const attempt = async (what: string, statement: string) => {
    const said = await faultOf(database, statement)
    if (said !== null) faults.push(`${what} cannot be made in a replica: ${said}.`)
  }
  const schemas = new Set([...definition.tables, ...definition.types].map(({ schema }) => schema))
  for (const schema of schemas)
    await attempt(`Schema ${schema}`, `CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(schema)}`)
  for (const type of definition.types) await attempt(`Type ${quoteTable(type)}`, type.statement)
  for (const table of definition.tables) {
    const said = await faultOf(database, `CREATE TABLE ${quoteTable(table)} (${liveColumns(table)})`)
    if (said !== null) {
      const columns = await findUnmakeableColumns(database, table)
      const each = columns.length > 0 ? columns : [said]
      faults.push(...each.map((one) => `Table ${table.id} cannot be made in a replica: ${one}.`))
      continue
    }
    for (const { what, statement } of partsOf(table)) await attempt(`${what} of table ${table.id}`, statement)
  }
  for (const { id, foreignKeys } of definition.tables)
    for (const { name, statement } of foreignKeys) await attempt(`Foreign key ${name} of table ${id}`, statement)
  return faults.map((fault) => `${fault} Hide the column that it comes from, or take it out of the table.`)
}

function partsOf(table: TableDefinition): { what: string; statement: string }[] {
  const name = quoteTable(table)
  return [
    { what: 'The primary key', statement: primaryKeySql(name, table) },
    ...table.uniques.map((unique) => ({ what: `Constraint ${unique.name}`, statement: uniqueSql(name, unique) })),
    ...table.indexes.map((index) => ({ what: `Index ${index.name}`, statement: index.statement })),
  ]
}
