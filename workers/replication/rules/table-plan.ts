import { OWN_SCHEMA, OWN_TABLES, type OwnTableName } from '../../../db/definition/own-tables.ts'
import {
  type DefinitionInForce,
  type TableDefinition,
  tableId,
  travellingColumns,
  type WatchedTable,
} from '../../../protocol/index.ts'

/** A row's values in the order of its plan's columns; undefined where the log does not carry one. */
export type Values = readonly (string | null | undefined)[]

/** A table as the decoders need it: names resolved to positions once, so that a row costs no look-up. */
export interface TablePlan {
  readonly id: string
  readonly schema: string
  readonly name: string
  readonly columns: readonly string[]
  readonly positions: ReadonlyMap<string, number>
  /** wal2json prints bytea without its `\x`. */
  readonly isBytea: readonly boolean[]
  /** `"column":`, ready for JSON text. */
  readonly jsonNames: readonly string[]
  readonly allPositions: readonly number[]
  readonly keyPositions: readonly number[]
  /** The positions of the columns that cannot be NULL. */
  readonly filledPositions: readonly number[]
  readonly audience: { readonly constant: 'all' } | { readonly position: number; readonly prefix: string }
  /** The name of the table where it is one of our own; null for the app's. */
  readonly own: OwnTableName | null
  /** True where history keeps nothing of former values. */
  readonly isKeysOnly?: boolean
  /** True where its rows are kept and told; those of a table that is only watched are neither. */
  readonly isSynced: boolean
  /** The position of the user whose rights a row decides, null for none. Absent where no rights depend on the table. */
  readonly watch?: { readonly userPosition: number | null }
}

export type TablePlans = ReadonlyMap<string, TablePlan>

/** Makes the key of a plan; no name holds a NUL. */
export const planKey = (schema: string, name: string) => `${schema}\0${name}`

function planOwn({ name, columns, key }: (typeof OWN_TABLES)[number]): TablePlan {
  const shape = positionsOf(
    columns,
    columns.map(() => false),
  )
  return {
    ...shape,
    id: tableId({ schema: OWN_SCHEMA, name }),
    schema: OWN_SCHEMA,
    name,
    keyPositions: key.map((column) => shape.positions.get(column) ?? -1),
    filledPositions: [],
    // It is not read: each row of history that is made of our tables names its audience itself.
    audience: { constant: 'all' },
    own: name,
    isSynced: true,
  }
}

function positionsOf(columns: readonly string[], isBytea: readonly boolean[]) {
  return {
    columns,
    isBytea,
    positions: new Map(columns.map((name, position) => [name, position])),
    jsonNames: columns.map((name) => `${JSON.stringify(name)}:`),
    allPositions: columns.map((_, position) => position),
  }
}

export function planTable(table: TableDefinition): TablePlan {
  const columns = travellingColumns(table)
  const shape = positionsOf(
    columns.map((column) => column.name),
    columns.map((column) => column.type === 'bytea'),
  )
  const positionOf = (name: string) => shape.positions.get(name) ?? -1
  return {
    ...shape,
    id: table.id,
    schema: table.schema,
    name: table.name,
    keyPositions: table.primaryKey.map(positionOf),
    filledPositions: columns.flatMap(({ notNull }, position) => (notNull ? [position] : [])),
    audience:
      'constant' in table.audience
        ? table.audience
        : { position: positionOf(table.audience.column), prefix: table.audience.prefix },
    own: null,
    isSynced: true,
  }
}

/** Plans a watched table; one that is synced too keeps its plan and gains the user's column, which may be hidden. */
function planWatched({ id, schema, name, user }: WatchedTable, synced: TablePlan | undefined): TablePlan {
  if (synced) {
    const known = user === null ? null : synced.positions.get(user)
    if (user === null || known !== undefined) return { ...synced, watch: { userPosition: known ?? null } }
    // The column stands beyond those that travel, so that it is decoded and nothing else reads it.
    const userPosition = synced.columns.length
    return { ...synced, positions: new Map([...synced.positions, [user, userPosition]]), watch: { userPosition } }
  }
  const columns = user === null ? [] : [user]
  return {
    ...positionsOf(
      columns,
      columns.map(() => false),
    ),
    id,
    schema,
    name,
    keyPositions: [],
    filledPositions: [],
    audience: { constant: 'all' },
    own: null,
    isSynced: false,
    watch: { userPosition: user === null ? null : 0 },
  }
}

const OWN_PLANS = OWN_TABLES.map(planOwn)

/** Plans a definition's tables, the table that announces its successor, and the one in which mutations begin. */
export function planTables(definition: DefinitionInForce): TablePlans {
  const synced = definition.definition.tables.map((table) => ({
    ...planTable(table),
    ...(definition.keysOnly?.includes(table.id) ? { isKeysOnly: true } : {}),
  }))
  const plans = [...OWN_PLANS, ...synced]
  const byName = new Map(plans.map((plan) => [planKey(plan.schema, plan.name), plan]))
  for (const watched of definition.watched ?? []) {
    const key = planKey(watched.schema, watched.name)
    byName.set(key, planWatched(watched, byName.get(key)))
  }
  return byName
}

/** Answers the audience of a row; null where its column is NULL and nobody sees it. */
export function audienceOfValues(plan: TablePlan, values: Values): string | null {
  if ('constant' in plan.audience) return plan.audience.constant
  const value = values[plan.audience.position]
  return value === null || value === undefined ? null : `${plan.audience.prefix}:${value}`
}

/** Prints these positions as a JSON object without undefined values. A text concatenated instead would be a tree. */
export function toJson(plan: TablePlan, values: Values, positions: readonly number[]): string {
  const members: string[] = []
  for (const position of positions) {
    const value = values[position]
    if (value !== undefined) members.push(plan.jsonNames[position] + (value === null ? 'null' : JSON.stringify(value)))
  }
  return `{${members.join()}}`
}

/** Prints the whole row as a JSON object. */
export function rowToJson(plan: TablePlan, values: Values): string {
  return toJson(plan, values, plan.allPositions)
}
