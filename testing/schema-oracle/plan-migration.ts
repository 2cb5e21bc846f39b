import type { Random } from '../oracle/random.ts'
import type { AppColumn, AppSchema, AppTable } from './app-schema.ts'

/** A change of an app's schema: the statements, and what the app declares afterwards. */
export interface PlannedMigration {
  readonly kind: MigrationKind
  readonly statements: readonly string[]
  readonly schema: AppSchema
  /** The statements that take it back; null where rows would be lost by that. */
  readonly back: readonly string[] | null
}

export type MigrationKind = keyof typeof WEIGHTS

const WEIGHTS = {
  addNullable: 3,
  addConstant: 3,
  addNow: 2,
  addVolatile: 1,
  addBackfilled: 2,
  addLabel: 2,
  renameColumn: 3,
  renameTable: 2,
  dropColumn: 2,
  exchangeNames: 1,
  widen: 2,
  retype: 2,
  addTable: 2,
  addPartitioned: 1,
  addReference: 2,
  splitTable: 1,
  addIndex: 1,
  addUnique: 1,
  hideOrShow: 2,
  moveAudience: 1,
  prioritise: 1,
} as const

/** What a retype makes of a number below a thousand; what it was not done to is told from it. */
const RETYPED = {
  bigint: (column: string) => `${column} * 1000 + 500`,
  text: (column: string) => `'n' || ${column}::text`,
}

/** Finds values that only a column of the type from before may hold. */
export const UNRETYPED: Readonly<Record<string, (column: string) => string>> = {
  bigint: (column) => `${column} % 1000 <> 500`,
  text: (column) => `${column} ~ '^[0-9]+$'`,
}

/**
 * Plans one migration of this schema; `number` makes its new names new. Without `partitions` no table is partitioned, as
 * wal2json cannot tell their rows.
 */
export function planMigration(
  random: Random,
  schema: AppSchema,
  number: number,
  partitions: boolean,
): PlannedMigration {
  for (;;) {
    const kind = random.weighted(WEIGHTS)
    if (kind === 'addPartitioned' && !partitions) continue
    const planned = planKind(kind, random, schema, number)
    if (planned) return { kind, back: null, ...planned }
  }
}

type Planned = Omit<PlannedMigration, 'kind' | 'back'> & { readonly back?: readonly string[] }

function planKind(kind: MigrationKind, random: Random, schema: AppSchema, number: number): Planned | null {
  const table = random.pick(schema.tables)
  const alter = `ALTER TABLE public.${table.name}`
  const name = `c${number}`
  const change = (next: Partial<AppTable>): AppSchema => ({
    ...schema,
    tables: schema.tables.map((one) => (one === table ? { ...one, ...next } : one)),
  })
  const add = (type: string, rest = '', more: readonly string[] = []): Planned => ({
    statements: [`${alter} ADD COLUMN ${name} ${type}${rest}`, ...more],
    schema: change({ columns: [...table.columns, { name, type, hidden: false }] }),
    back: [`${alter} DROP COLUMN ${name}`],
  })
  const replace = (column: AppColumn, next: Partial<AppColumn>) =>
    change({ columns: table.columns.map((one) => (one === column ? { ...one, ...next } : one)) })
  const some = (isFit: (column: AppColumn) => boolean): AppColumn | null => {
    const fitting = table.columns.filter(isFit)
    return fitting.length === 0 ? null : random.pick(fitting)
  }
  switch (kind) {
    case 'addNullable':
      return add('text')
    case 'addConstant':
      return add('integer', ` NOT NULL DEFAULT ${random.below(100)}`)
    case 'addNow':
      return add('timestamptz', ' NOT NULL DEFAULT now()')
    case 'addVolatile':
      return add('uuid', ' NOT NULL DEFAULT gen_random_uuid()')
    case 'addBackfilled':
      return add('text', '', [
        `UPDATE public.${table.name} SET ${name} = 'filled ' || left(id::text, 2)`,
        `${alter} ALTER COLUMN ${name} SET DEFAULT 'filled'`,
        `UPDATE public.${table.name} SET ${name} = ${name} || '.' WHERE left(id::text, 1) < '8'`,
      ])
    case 'addLabel': {
      const place = random.pick([`AFTER '${random.pick(schema.labels)}'`, `BEFORE '${schema.labels[0]}'`, ''])
      const statement = `ALTER TYPE public.state ADD VALUE 'l${number}' ${place}`
      return { statements: [statement], schema: { ...schema, labels: [...schema.labels, `l${number}`] } }
    }
    case 'renameColumn': {
      const column = some(() => true)
      if (!column) return null
      const back = [`${alter} RENAME COLUMN ${name} TO ${column.name}`]
      return {
        statements: [`${alter} RENAME COLUMN ${column.name} TO ${name}`],
        schema: replace(column, { name }),
        back,
      }
    }
    case 'renameTable':
      return {
        statements: [`${alter} RENAME TO t${number}`],
        schema: change({ name: `t${number}` }),
        back: [`ALTER TABLE public.t${number} RENAME TO ${table.name}`],
      }
    case 'dropColumn': {
      const column = some(({ type }) => type !== 'public.state')
      if (!column || table.columns.length < 2) return null
      return {
        statements: [`${alter} DROP COLUMN ${column.name}`],
        schema: change({ columns: table.columns.filter((one) => one !== column) }),
      }
    }
    case 'exchangeNames': {
      const [one, other] = table.columns
      if (!one || !other || one.hidden || other.hidden) return null
      const rename = (from: string, to: string) => `${alter} RENAME COLUMN ${from} TO ${to}`
      const columns = table.columns.map((column) =>
        column === one ? { ...one, name: other.name } : column === other ? { ...other, name: one.name } : column,
      )
      return {
        statements: [rename(one.name, name), rename(other.name, one.name), rename(name, other.name)],
        schema: change({ columns }),
      }
    }
    case 'widen': {
      const column = some(({ type }) => type.startsWith('varchar'))
      if (!column) return null
      const type = random.pick(['text', `varchar(${100 + number})`])
      return { statements: [`${alter} ALTER COLUMN ${column.name} TYPE ${type}`], schema: replace(column, { type }) }
    }
    case 'retype': {
      const column = some(({ type }) => type === 'integer')
      if (!column) return null
      const to = random.pick(['bigint', 'text'] as const)
      // Without its default, a value that must be there would have to come with each row.
      const drop = `${alter} ALTER COLUMN ${column.name} DROP DEFAULT, ALTER COLUMN ${column.name} DROP NOT NULL`
      return {
        statements: [drop, `${alter} ALTER COLUMN ${column.name} TYPE ${to} USING ${RETYPED[to](column.name)}`],
        schema: replace(column, { type: to }),
      }
    }
    case 'addTable':
      return {
        statements: [
          `CREATE TABLE public.t${number} (id uuid PRIMARY KEY, org text NOT NULL, team text NOT NULL, a text)`,
        ],
        schema: {
          ...schema,
          tables: [...schema.tables, newTable(`t${number}`, [{ name: 'a', type: 'text', hidden: false }])],
        },
      }
    case 'addPartitioned': {
      const columns = 'id uuid PRIMARY KEY, org text NOT NULL, team text NOT NULL, a text'
      const leaf = (rest: number) =>
        `CREATE TABLE public.t${number}_${rest} PARTITION OF public.t${number} FOR VALUES WITH (MODULUS 2, REMAINDER ${rest})`
      return {
        statements: [`CREATE TABLE public.t${number} (${columns}) PARTITION BY HASH (id)`, leaf(0), leaf(1)],
        schema: {
          ...schema,
          tables: [...schema.tables, newTable(`t${number}`, [{ name: 'a', type: 'text', hidden: false }])],
        },
      }
    }
    case 'addReference':
      return add('uuid', ` REFERENCES public.${random.pick(schema.tables).name} (id) ON DELETE SET NULL`)
    case 'splitTable': {
      const column = some(({ type }) => type !== 'public.state')
      if (!column || table.columns.length < 2) return null
      const rest = change({ columns: table.columns.filter((one) => one !== column) })
      return {
        statements: [
          `CREATE TABLE public.t${number} (id uuid PRIMARY KEY, org text NOT NULL, team text NOT NULL, ${column.name} ${column.type})`,
          `INSERT INTO public.t${number} SELECT id, org, team, ${column.name} FROM public.${table.name}`,
          `UPDATE public.${table.name} SET team = team`,
          `${alter} DROP COLUMN ${column.name}`,
          `DELETE FROM public.t${number} WHERE left(id::text, 1) = '0'`,
        ],
        schema: { ...rest, tables: [...rest.tables, newTable(`t${number}`, [{ ...column, hidden: false }])] },
      }
    }
    case 'addIndex':
      return { statements: [`CREATE INDEX i${number} ON public.${table.name} (team, id)`], schema }
    case 'addUnique':
      return { statements: [`${alter} ADD CONSTRAINT u${number} UNIQUE (team, id)`], schema }
    case 'hideOrShow': {
      const column = some(() => true)
      return column && { statements: [], schema: replace(column, { hidden: !column.hidden }) }
    }
    case 'moveAudience':
      return { statements: [], schema: change({ audience: table.audience === 'org' ? 'team' : 'org' }) }
    case 'prioritise':
      return { statements: [], schema: change({ priority: table.priority + 1 }) }
  }
}

const newTable = (name: string, columns: readonly AppColumn[]): AppTable => ({
  name,
  columns,
  audience: 'org',
  priority: 3,
})
