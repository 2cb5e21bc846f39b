import {
  type Definition,
  enumLabels,
  liveColumns,
  primaryKeySql,
  quoteLiteral,
  quoteTable,
  type TableDefinition,
  typesOf,
} from '../../protocol/index.ts'
import type { Executor } from './copies.ts'

/** It is there while tables are compared, within the transaction. */
const MADE_SCHEMA = 'tidemark_made'

const madeName = (index: number) => `${MADE_SCHEMA}.table_${index}`

/** The columns of a relation with type, its length, collation and whether it is computed; then its key. */
const looksOf = (relation: string) => `(SELECT string_agg(
    format('%s %s %s %s %s', a.attname, a.atttypid, a.atttypmod, a.attcollation, a.attgenerated), ',' ORDER BY a.attname)
  FROM pg_attribute a WHERE a.attrelid = ${relation} AND a.attnum > 0 AND NOT a.attisdropped)
  || coalesce((SELECT string_agg(a.attname, ',' ORDER BY key.place) FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY AS key(number, place)
    JOIN pg_attribute a ON a.attnum = key.number WHERE i.indrelid = ${relation} AND i.indisprimary AND a.attrelid = ${relation}), '')`

const compareTables = (is: string, made: string) =>
  `SELECT ${is} AS what WHERE ${looksOf(`${is}::regclass`)} IS DISTINCT FROM ${looksOf(`${made}::regclass`)}`

const compareLabels = (type: string, labels: string) =>
  `SELECT ${type} AS what WHERE ${labels}::jsonb IS DISTINCT FROM
    (SELECT jsonb_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = ${type}::regtype)`

/**
 * Finds what is otherwise than it would be if it were made here from this definition: of these tables the columns, their types
 * and the key, and the labels of their enums. Indexes, defaults and other constraints are not compared. Rule MIG-R23.
 */
export async function findOtherwise(
  tx: Executor,
  tables: readonly TableDefinition[],
  types: Definition['types'],
): Promise<string[]> {
  if (tables.length === 0) return []
  const enums = typesOf(
    tables.flatMap(({ columns }) => columns),
    types,
  ).flatMap((type) => {
    const labels = enumLabels(type.statement)
    return labels === null ? [] : [compareLabels(quoteLiteral(quoteTable(type)), quoteLiteral(JSON.stringify(labels)))]
  })
  const results = await tx.exec(
    [
      `CREATE SCHEMA ${MADE_SCHEMA}`,
      ...tables.flatMap((table, index) => [
        `CREATE TABLE ${madeName(index)} (${liveColumns(table)})`,
        primaryKeySql(madeName(index), table),
        compareTables(quoteLiteral(quoteTable(table)), quoteLiteral(madeName(index))),
      ]),
      ...enums,
      `DROP SCHEMA ${MADE_SCHEMA} CASCADE`,
    ].join(';\n'),
  )
  return results.flatMap(({ rows }) => rows.map(({ what }) => String(what)))
}
