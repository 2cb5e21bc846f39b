import { customType, pgTable } from 'drizzle-orm/pg-core'
import { defineSync, table } from '../../db/index.ts'

export interface AppColumn {
  readonly name: string
  /** As SQL writes it. */
  readonly type: string
  readonly hidden: boolean
}

export interface AppTable {
  readonly name: string
  /** Every table has `id`, `org` and `team` besides, of which the last two hold an org each. */
  readonly columns: readonly AppColumn[]
  readonly audience: 'org' | 'team'
  readonly priority: number
}

/** The schema of an app at one moment, as its migrations made it. */
export interface AppSchema {
  readonly tables: readonly AppTable[]
  readonly labels: readonly string[]
}

const column = (name: string, type: string): AppColumn => ({ name, type, hidden: false })

/** The schema that the first migration file makes. */
export const FIRST_SCHEMA: AppSchema = {
  labels: ['open', 'done'],
  tables: [
    {
      name: 'task',
      columns: [column('title', 'varchar(40)'), column('size', 'integer'), column('state', 'public.state')],
      audience: 'org',
      priority: 1,
    },
    { name: 'note', columns: [column('body', 'text'), column('weight', 'integer')], audience: 'org', priority: 2 },
  ],
}

/** Declares a schema as its app would, by drizzle tables; only names matter, the catalogue says the rest. */
export function syncOf({ tables }: AppSchema) {
  const entries = tables.map(({ name, columns, audience, priority }) => {
    const all = [{ name: 'id' }, { name: 'org' }, { name: 'team' }, ...columns]
    const declared = pgTable(name, Object.fromEntries(all.map((one) => [one.name, textColumn(one.name)])))
    const hidden = columns.flatMap((one) => (one.hidden ? [one.name] : []))
    const audienceColumn = declared[audience]
    if (!audienceColumn) throw new Error(`Table ${name} has no column ${audience}.`)
    const options = { audience: { column: audienceColumn, prefix: 'org' }, hidden, priority, write: 'all' as const }
    return [name, table(declared, options)] as const
  })
  return defineSync({ tables: Object.fromEntries(entries) })
}

const textColumn = customType<{ data: string }>({ dataType: () => 'text' })
