import type { ColumnInDoubt } from '../../db/definition/compare-shapes.ts'
import type { Query } from '../../db/query.ts'
import { textArray } from '../database/index.ts'
import { PUBLICATION } from './pgoutput-source.ts'
import { bytesOfHex, decodeRelation } from './rules/decode-pgoutput.ts'
import { planKey } from './rules/table-plan.ts'
import { wal2jsonName } from './wal2json-source.ts'

/** A column's type as the log states it. */
interface ToldType {
  readonly schema: string
  readonly name: string
  readonly column: string
  readonly type: string
}

/**
 * Finds the columns that the log, from the slot's place on, gives another type than they have: altered, and taken back.
 *
 * Decodes all that is waiting once more. Throws what the database throws.
 */
export async function findTakenBack(
  query: Query,
  slot: { readonly name: string; readonly decoder: string },
  doubts: readonly ColumnInDoubt[],
): Promise<readonly ColumnInDoubt[]> {
  if (doubts.length === 0) return []
  const tables = [...new Set(doubts.map(({ table }) => table))]
  const told = await (slot.decoder === 'wal2json'
    ? readWal2jsonTypes(query, slot.name, tables)
    : readPgoutputTypes(query, slot.name))
  const key = (schema: string, name: string, column: string) => `${planKey(schema, name)}\0${column}`
  const types = new Map<string, Set<string>>()
  for (const { schema, name, column, type } of told) {
    const known = types.get(key(schema, name, column)) ?? new Set()
    types.set(key(schema, name, column), known.add(type))
  }
  return doubts.filter(({ table, column, type }) => {
    const others = types.get(key(table.schema, table.name, column)) ?? new Set()
    return [...others].some((other) => other !== type)
  })
}

type NamedTable = ColumnInDoubt['table']

async function readWal2jsonTypes(query: Query, slotName: string, tables: readonly NamedTable[]): Promise<ToldType[]> {
  const names = tables.map(({ schema, name }) => `${wal2jsonName(schema)}.${wal2jsonName(name)}`)
  const options = ['format-version', '2', 'include-types', '1', 'include-typmod', '1', 'add-tables', names.join()]
  const rows = await query(
    `SELECT DISTINCT line->>'schema' AS schema, line->>'table' AS name, told->>'name' AS column, told->>'type' AS type
     FROM pg_logical_slot_peek_changes($1, NULL, NULL, VARIADIC $2::text[]) AS peeked,
       LATERAL (SELECT data::json AS line) AS parsed,
       json_array_elements(coalesce(line->'columns', line->'identity', '[]')) AS told`,
    [slotName, textArray(options)],
  )
  return rows.map(({ schema, name, column, type }) => ({
    schema: schema ?? '',
    name: name ?? '',
    column: column ?? '',
    type: type ?? '',
  }))
}

async function readPgoutputTypes(query: Query, slotName: string): Promise<ToldType[]> {
  const rows = await query(
    `SELECT DISTINCT data::text AS data FROM pg_logical_slot_peek_binary_changes(
       $1, NULL, NULL, 'proto_version', '1', 'publication_names', $2)
     WHERE get_byte(data, 0) = ${'R'.charCodeAt(0)}`,
    [slotName, PUBLICATION],
  )
  const told = rows.flatMap(({ data }) => {
    const { schema, name, columns } = decodeRelation(bytesOfHex(data ?? ''))
    return columns.map((column) => ({ schema, name, column }))
  })
  const types = await printTypes(
    query,
    told.map(({ column }) => column),
  )
  return told.map(({ schema, name, column }, place) => ({
    schema,
    name,
    column: column.name,
    type: types[place] ?? '',
  }))
}

/** Prints the types of columns of relation messages, in their order. */
export async function printTypes(
  query: Query,
  columns: readonly { readonly typeOid: number; readonly typmod: number }[],
): Promise<string[]> {
  const printed = await query(
    `SELECT format_type((typed->>0)::oid, (typed->>1)::int) AS type
     FROM json_array_elements($1::json) WITH ORDINALITY AS t(typed, place) ORDER BY place`,
    [JSON.stringify(columns.map(({ typeOid, typmod }) => [typeOid, typmod]))],
  )
  return printed.map(({ type }) => type ?? '')
}
