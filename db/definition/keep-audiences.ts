import { KEPT_AUDIENCE, quoteIdentifier, quoteLiteral, quoteTable, tableId } from '../../protocol/index.ts'
import type { Query } from '../query.ts'
import type { DeclaredTable } from './declared-table.ts'
import { conditionFault } from './examine-condition.ts'
import {
  expectedAudience,
  functionStatements,
  KEPT_KEY,
  type KeptTable,
  keptFunctions,
  keptMark,
  keptTriggers,
  keyDefinition,
} from './kept-audience-sql.ts'
import {
  isKept,
  isKeyAsWanted,
  type KeptFacts,
  type KeptIndex,
  missingIndexes,
  planKept,
  readKeptFacts,
} from './kept-facts.ts'
import { releaseAudiences } from './release-audiences.ts'

export interface Keeping {
  /** One sentence each, with its remedy. */
  readonly faults: readonly string[]
  /** The ids of the tables that have them. */
  readonly refused: ReadonlySet<string>
  readonly notes: readonly string[]
}

/** A statement that is run where the app's event triggers find what they need. */
type Ddl = (statement: string) => Promise<unknown>

/**
 * Makes whatever is missing for these tables to keep their audiences: columns, indexes, triggers, foreign keys, and the
 * values of the rows that are there, all in the transaction that is open. What `prepareAudiences` did before is found
 * done, but for the rows of tables `inDoubt`, by id, and of their children. Run it as the owner of the tables.
 */
export async function keepAudiences(
  query: Query,
  ddl: Ddl,
  tables: readonly DeclaredTable[],
  inDoubt: ReadonlySet<string> = new Set(),
): Promise<Keeping> {
  const faults: string[] = []
  const refused = new Set<string>()
  const notes: string[] = []
  const open: KeptTable[] = []
  for (const declared of parentsFirst(tables)) {
    const facts = await readKeptFacts(query, declared)
    const above = declared.kept?.parent ? tableId(declared.kept.parent) : null
    const table =
      above !== null && refused.has(above)
        ? { fault: `takes its audience from ${above}, which has none to give` }
        : await planSoundly(query, declared, facts)
    if (table === null) continue
    if ('fault' in table) {
      faults.push(`Table ${tableId(declared)} ${table.fault}.`)
      refused.add(tableId(declared))
      continue
    }
    const isDoubted = inDoubt.has(tableId(declared)) || (above !== null && inDoubt.has(above))
    if (isKept(table, facts) && !isDoubted) continue
    for (const statement of columnStatements(table, facts)) await ddl(statement)
    for (const index of missingIndexes(table, await readKeptFacts(query, declared)))
      for (const statement of indexStatements(index)) await ddl(statement)
    for (const statement of keepingStatements(table, await readKeptFacts(query, declared))) await ddl(statement)
    open.push(table)
  }
  // Filling a table carries on to its children, whose triggers must know its names by now.
  for (const table of open) {
    await query(fillStatement(table))
    for (const statement of finishingStatements(table)) await ddl(statement)
    notes.push(`Column ${KEPT_AUDIENCE} of ${quoteTable(table)} keeps the audience of its rows.`)
  }
  notes.push(...(await releaseAudiences(query, ddl, tables)))
  return { faults, refused, notes }
}

/** Sorts tables so that each comes after those from which it takes its audience; those without a kept one are left out. */
export function parentsFirst(tables: readonly DeclaredTable[]): DeclaredTable[] {
  const byId = new Map(tables.map((table) => [tableId(table), table]))
  const depthOf = (table: DeclaredTable | undefined, met: number): number =>
    table?.kept?.parent && met < tables.length ? depthOf(byId.get(tableId(table.kept.parent)), met + 1) : met
  return tables.filter(({ kept }) => kept !== null).sort((a, b) => depthOf(a, 0) - depthOf(b, 0))
}

/** Plans a table, its condition tried where it is another than the one that was installed. */
export async function planSoundly(
  query: Query,
  declared: DeclaredTable,
  facts: KeptFacts,
): Promise<ReturnType<typeof planKept>> {
  const table = planKept(declared, facts)
  if (table === null || 'fault' in table || table.when === null || isKept(table, facts)) return table
  const fault = await conditionFault(query, table, table.when)
  return fault === null ? table : { fault }
}

/** Makes the column, anew where it is of another type. */
export function columnStatements(table: KeptTable, facts: KeptFacts): string[] {
  const { table: found, parent, keys, children } = facts
  const name = quoteTable(table)
  const column = quoteIdentifier(KEPT_AUDIENCE)
  const own = found?.columns.find((one) => one.name === KEPT_AUDIENCE)
  const other = keys.filter((key) => key.name === KEPT_KEY && !isKeyAsWanted(key, table, { parent }))
  return [
    ...facts.stale.map((trigger) => `DROP TRIGGER ${quoteIdentifier(trigger.name)} ON ${trigger.table}`),
    ...other.map((key) => `ALTER TABLE ${name} DROP CONSTRAINT ${quoteIdentifier(key.name)}`),
    ...(own && own.type !== table.type
      ? [
          ...children.map((child) => `ALTER TABLE ${child} DROP CONSTRAINT ${quoteIdentifier(KEPT_KEY)}`),
          `ALTER TABLE ${name} DROP COLUMN ${column}`,
        ]
      : []),
    ...(own?.type === table.type ? [] : [`ALTER TABLE ${name} ADD COLUMN ${column} ${table.type}`]),
  ]
}

/** Makes an index in the place of one that was left unfinished. */
export function indexStatements({ name, on, columns, unique }: KeptIndex, concurrently = false): string[] {
  const how = concurrently ? ' CONCURRENTLY' : ''
  return [
    `DROP INDEX${how} IF EXISTS ${quoteTable({ schema: on.schema, name })}`,
    `CREATE${unique ? ' UNIQUE' : ''} INDEX${how} ${quoteIdentifier(name)} ON ${quoteTable(on)} (${columns.map(quoteIdentifier).join(', ')})`,
  ]
}

/** From these on, every row that is written has its audience; they are made in one transaction. */
export function keepingStatements(table: KeptTable, { parent, keys }: KeptFacts): string[] {
  const isThere = keys.some((key) => isKeyAsWanted(key, table, { parent }))
  return [
    ...keptFunctions(table).flatMap(functionStatements),
    ...keptTriggers(table).flatMap(({ table: on, name, statement }) => [
      statement,
      `ALTER TABLE ${quoteTable(on)} ENABLE ALWAYS TRIGGER ${quoteIdentifier(name)}`,
    ]),
    ...(table.parent === null || isThere
      ? []
      : [
          `ALTER TABLE ${quoteTable(table)} ADD CONSTRAINT ${quoteIdentifier(KEPT_KEY)} ${keyDefinition({ parent: table.parent })} NOT VALID`,
        ]),
  ]
}

/** Gives rows the audience that they should have; `only` limits them, over the table by the name `kept`. */
export function fillStatement(table: KeptTable, only = 'true'): string {
  const expected = expectedAudience(table, 'kept')
  const column = quoteIdentifier(KEPT_AUDIENCE)
  return `UPDATE ${quoteTable(table)} AS kept SET ${column} = ${expected} WHERE ${only} AND kept.${column} IS DISTINCT FROM ${expected}`
}

export function finishingStatements(table: KeptTable): string[] {
  const name = quoteTable(table)
  return [
    ...(table.parent ? [`ALTER TABLE ${name} VALIDATE CONSTRAINT ${quoteIdentifier(KEPT_KEY)}`] : []),
    `COMMENT ON COLUMN ${name}.${quoteIdentifier(KEPT_AUDIENCE)} IS ${quoteLiteral(keptMark(table))}`,
  ]
}
