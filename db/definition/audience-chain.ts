import type { SQL } from 'drizzle-orm'
import { type AnyPgColumn, getTableConfig, type PgTable } from 'drizzle-orm/pg-core'
import { type AudienceRule, KEPT_AUDIENCE } from '../../protocol/index.ts'

/**
 * Who sees a row: everyone, `prefix:value` of a column, or whoever sees the row of `of` to which the foreign key `via`
 * refers.
 */
export type Audience =
  | 'all'
  | { column: AnyPgColumn; prefix: string }
  | { via: AnyPgColumn | readonly AnyPgColumn[]; of: PgTable }

/** The part of a synced table that tells who sees its rows. */
interface SeenTable {
  readonly table: PgTable
  readonly audience: Audience
  readonly when?: SQL
}

type Tables = Readonly<Record<string, SeenTable>>

const nameOf = (table: PgTable) => {
  const { schema, name } = getTableConfig(table)
  return schema === undefined || schema === 'public' ? name : `${schema}.${name}`
}

const entryOf = (tables: Tables, table: PgTable): SeenTable | undefined =>
  Object.values(tables).find((entry) => nameOf(entry.table) === nameOf(table))

/** Lists the tables whose audience comes from a parent that cannot give them one, one sentence each. */
export function chainFaults(tables: Tables): string[] {
  return Object.entries(tables).flatMap(([name, entry]) => {
    const fault = chainFault(tables, entry)
    return fault === null ? [] : [`tables.${name}.audience ${fault}`]
  })
}

function chainFault(tables: Tables, start: SeenTable): string | null {
  const met = [nameOf(start.table)]
  for (let entry = start; entry.audience !== 'all' && 'via' in entry.audience; ) {
    const { of } = entry.audience
    const parent = entryOf(tables, of)
    if (!parent) return entry === start ? `is that of table ${nameOf(of)}, which is not synced: add it to tables` : null
    const name = nameOf(of)
    if (met.includes(name))
      return `leads from table to table and back (${[...met, name].join(' → ')}): name who sees the rows of one of them by a column`
    // What is wrong further up is said once, of the table where it is wrong.
    if (entry === start && parent.audience === 'all') return `is that of ${name}, which everyone sees: say 'all'`
    met.push(name)
    entry = parent
  }
  return null
}

/** Returns the rule by which an entry's rows are told, over any number of steps. The definition must have no faults. */
export function ruleOf(tables: Tables, { audience, when }: SeenTable): AudienceRule {
  if (audience === 'all') return { constant: 'all' }
  if ('column' in audience)
    return { column: when === undefined ? audience.column.name : KEPT_AUDIENCE, prefix: audience.prefix }
  const parent = entryOf(tables, audience.of)
  const rule = parent ? ruleOf(tables, parent) : { constant: 'all' as const }
  return 'constant' in rule ? rule : { column: KEPT_AUDIENCE, prefix: rule.prefix }
}

/** Returns the column that names the audience in the rows of the table from which others take it. */
export function audienceColumnOf(tables: Tables, of: PgTable): string {
  const parent = entryOf(tables, of)
  const rule = parent ? ruleOf(tables, parent) : null
  return rule !== null && 'column' in rule ? rule.column : KEPT_AUDIENCE
}
