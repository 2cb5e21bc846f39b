import { quoteIdentifier, quoteLiteral, type Row, TidemarkError, type Value } from '../../protocol/index.ts'
import type { Net, Stage } from './fold-changes.ts'
import { audienceValue, type ReplicaTable } from './replica-table.ts'

/**
 * One statement, its rows in the parameter `$1` as JSON, and how many rows it must affect.
 *
 * The rows' size needs no bound of its own, because the frames that are applied at once are bounded.
 */
export interface ChangeStatement {
  readonly text: string
  readonly parameter: string | null
  /** Null where any number is right. */
  readonly expectedRows: number | null
  /** The change of the table's row count by each affected row. */
  readonly countSign: -1 | 0 | 1
}

interface Update {
  readonly key: Row
  readonly row: Row
}

interface UpdateGroup {
  readonly columns: readonly string[]
  readonly updates: Update[]
}

/** Every column is read as text and cast by its own type: JSON would turn text into a JSON string where the type is jsonb. */
const recordset = (columns: readonly string[]) =>
  `json_to_recordset($1::text::json) AS x(${columns.map((name) => `${name} text`).join(', ')})`

const keyMatch = (table: ReplicaTable, alias: string) =>
  table.key
    .map((column, index) => `${alias}.${quoteIdentifier(column.name)} = x.k${index}::${column.type}`)
    .join(' AND ')

const keyColumns = (table: ReplicaTable) => table.key.map((_, index) => `k${index}`)

function keyRecord(table: ReplicaTable, key: Row): Record<string, Value> {
  const record: Record<string, Value> = {}
  for (const [index, column] of table.key.entries()) record[`k${index}`] = key[column.name] ?? null
  return record
}

/**
 * Answers the statements that bring one stage of a table's net changes about: deletes, updates, inserts.
 *
 * In this order nothing meets a key or unique value that only the same changes free. Throws `rehydrate-required` on rows
 * that do not have the table's columns.
 */
export function stageStatements(table: ReplicaTable, stage: Stage): ChangeStatement[] {
  const deletes: Row[] = []
  const inserts: Row[] = []
  const absent: Row[] = []
  const groups = new Map<string, UpdateGroup>()
  for (const net of stage.nets.values()) {
    if (net.kind === 'gone') absent.push(net.key)
    else sort(net, deletes, inserts, groups)
  }
  const moving: UpdateGroup[] = []
  const inPlace: UpdateGroup[] = []
  for (const group of groups.values()) (movesFixedUnique(table, group) ? moving : inPlace).push(group)
  const statements: ChangeStatement[] = []
  if (stage.truncate !== null) statements.push(truncateStatement(table, stage.truncate))
  // The stream inserted and deleted these rows, so none may be there: finding any is the fault that undoes the delete.
  if (absent.length > 0) statements.push({ ...deleteStatement(table, absent), expectedRows: 0 })
  if (deletes.length > 0) statements.push(deleteStatement(table, deletes))
  for (const group of inPlace) statements.push(updateStatement(table, table.name, group))
  if (moving.length > 0) statements.push(...movingStatements(table, moving))
  if (inserts.length > 0) statements.push(insertStatement(table, inserts))
  return statements
}

function sort(net: Net, deletes: Row[], inserts: Row[], groups: Map<string, UpdateGroup>): void {
  if (net.kind === 'delete' || net.kind === 'replace') deletes.push(net.key)
  if (net.kind === 'insert' || net.kind === 'replace') inserts.push(net.row)
  if (net.kind !== 'update') return
  const columns = Object.keys(net.row)
  if (columns.length === 0) return
  const shape = columns.join('\u0000')
  const group = groups.get(shape)
  if (group) group.updates.push(net)
  else groups.set(shape, { columns, updates: [net] })
}

function truncateStatement(table: ReplicaTable, scope: 'everyone' | readonly string[]): ChangeStatement {
  const { audience: rule } = table
  const base = { parameter: null, expectedRows: null, countSign: -1 } as const
  if (scope === 'everyone' || 'constant' in rule) return { ...base, text: `DELETE FROM ${table.name}` }
  const values = scope.map((audience) => quoteLiteral(audience.slice(rule.prefix.length + 1))).join(', ')
  return { ...base, text: `DELETE FROM ${table.name} WHERE ${audienceValue(table, rule.column)} IN (${values})` }
}

/** Up to this size a single row is written without a join, in a fifth of the time; its JSON is read for each value. */
const SINGLE_CHARS = 4 * 1024

/** Answers the parameter for either form of a statement, and whether it is that of one row. */
function parameterOf(records: readonly Record<string, Value>[]): { parameter: string; isSingle: boolean } {
  const [first] = records
  const single = records.length === 1 ? JSON.stringify(first) : null
  if (single !== null && single.length <= SINGLE_CHARS) return { parameter: single, isSingle: true }
  return { parameter: JSON.stringify(records), isSingle: false }
}

const given = (name: string, type: string) => `($1::text::json ->> '${name}')::${type}`

const keyIsGiven = (table: ReplicaTable, alias: string) =>
  table.key
    .map(({ name, type }, index) => `${alias}.${quoteIdentifier(name)} = ${given(`k${index}`, type)}`)
    .join(' AND ')

export function deleteStatement(table: ReplicaTable, keys: readonly Row[]): ChangeStatement {
  const { parameter, isSingle } = parameterOf(keys.map((key) => keyRecord(table, key)))
  const text = isSingle
    ? `DELETE FROM ${table.name} AS t WHERE ${keyIsGiven(table, 't')}`
    : `DELETE FROM ${table.name} AS t USING ${recordset(keyColumns(table))} WHERE ${keyMatch(table, 't')}`
  return { text, parameter, expectedRows: keys.length, countSign: -1 }
}

function typeOf(table: ReplicaTable, name: string): string {
  const column = table.columnByName.get(name)
  if (column) return column.type
  throw new TidemarkError(
    'rehydrate-required',
    `The stream has a column of ${table.id} that this replica does not have.`,
  )
}

function groupRecords(table: ReplicaTable, group: UpdateGroup): Record<string, Value>[] {
  return group.updates.map(({ key, row }) => {
    const record = keyRecord(table, key)
    for (const [index, name] of group.columns.entries()) record[`v${index}`] = row[name] ?? null
    return record
  })
}

export function updateStatement(table: ReplicaTable, target: string, group: UpdateGroup): ChangeStatement {
  const { parameter, isSingle } = parameterOf(groupRecords(table, group))
  const set = (value: (name: string, type: string) => string) =>
    group.columns
      .map((name, index) => `${quoteIdentifier(name)} = ${value(`v${index}`, typeOf(table, name))}`)
      .join(', ')
  const columns = [...keyColumns(table), ...group.columns.map((_, index) => `v${index}`)]
  const text = isSingle
    ? `UPDATE ${target} AS t SET ${set(given)} WHERE ${keyIsGiven(table, 't')}`
    : `UPDATE ${target} AS t SET ${set((name, type) => `x.${name}::${type}`)} FROM ${recordset(columns)} WHERE ${keyMatch(table, 't')}`
  return { text, parameter, expectedRows: group.updates.length, countSign: 0 }
}

export function insertStatement(table: ReplicaTable, rows: readonly Row[]): ChangeStatement {
  for (const row of rows) {
    const names = Object.keys(row)
    const whole = names.length === table.columns.length && names.every((name) => table.columnByName.has(name))
    if (!whole)
      throw new TidemarkError('rehydrate-required', `The stream inserts into ${table.id} other columns than it has.`)
  }
  const names = table.columns.map(({ name }) => quoteIdentifier(name))
  const values = table.columns.map(({ name, type }) => `x.${quoteIdentifier(name)}::${type}`)
  return {
    text: `INSERT INTO ${table.name} (${names.join(', ')}) SELECT ${values.join(', ')} FROM ${recordset(names)}`,
    parameter: JSON.stringify(rows),
    expectedRows: rows.length,
    countSign: 1,
  }
}

/** A unique constraint that a foreign key refers to cannot be deferred: rows that change its columns leave the table first. */
function movesFixedUnique(table: ReplicaTable, group: UpdateGroup): boolean {
  return table.definition.uniques.some(
    (unique) => !unique.deferrable && unique.columns.some((name) => group.columns.includes(name)),
  )
}

const MOVED = 'pg_temp.tidemark_moved'

function movingStatements(table: ReplicaTable, groups: readonly UpdateGroup[]): ChangeStatement[] {
  const columns = table.columns.map(({ name }) => quoteIdentifier(name)).join(', ')
  const plain = (text: string, expectedRows: number | null, countSign: -1 | 0 | 1): ChangeStatement => ({
    text,
    parameter: null,
    expectedRows,
    countSign,
  })
  const count = groups.reduce((sum, group) => sum + group.updates.length, 0)
  const sameKey = table.key.map(({ name }) => `t.${quoteIdentifier(name)} = m.${quoteIdentifier(name)}`).join(' AND ')
  const collecting = groups.map(
    (group): ChangeStatement => ({
      text: `INSERT INTO ${MOVED} SELECT ${table.columns.map(({ name }) => `t.${quoteIdentifier(name)}`).join(', ')} FROM ${table.name} AS t JOIN ${recordset(keyColumns(table))} ON ${keyMatch(table, 't')}`,
      parameter: JSON.stringify(group.updates.map(({ key }) => keyRecord(table, key))),
      expectedRows: group.updates.length,
      countSign: 0,
    }),
  )
  return [
    plain(
      `CREATE TEMP TABLE tidemark_moved ON COMMIT DROP AS SELECT ${columns} FROM ${table.name} WITH NO DATA`,
      null,
      0,
    ),
    ...collecting,
    plain(`DELETE FROM ${table.name} AS t USING ${MOVED} AS m WHERE ${sameKey}`, count, -1),
    ...groups.map((group) => updateStatement(table, MOVED, group)),
    plain(`INSERT INTO ${table.name} (${columns}) SELECT ${columns} FROM ${MOVED}`, count, 1),
    plain(`DROP TABLE ${MOVED}`, null, 0),
  ]
}

/** Reads, of the keys in `$1`, those that are there, with the text of their audience column. */
export function presenceQuery(
  table: ReplicaTable,
  audienceColumn: string,
  keys: readonly Row[],
): { text: string; parameter: string } {
  const columns = keyColumns(table)
  return {
    text: `SELECT ${columns.map((name) => `x.${name}`).join(', ')}, ${audienceValue(table, audienceColumn, 't')} AS audience FROM ${table.name} AS t JOIN ${recordset(columns)} ON ${keyMatch(table, 't')}`,
    parameter: JSON.stringify(keys.map((key) => keyRecord(table, key))),
  }
}
