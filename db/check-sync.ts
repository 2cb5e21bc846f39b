import { is, SQL } from 'drizzle-orm'
import { getTableConfig, PgColumn, PgTable } from 'drizzle-orm/pg-core'
import { chainFaults } from './definition/audience-chain.ts'
import { conditionFaults } from './definition/condition-text.ts'
import { nearest } from './nearest.ts'

type Bag = Readonly<Record<string, unknown>>

const SYNC_KEYS = ['tables', 'actions', 'watch', 'migration']
const OPTION_KEYS = ['audience', 'when', 'hidden', 'write', 'conflict', 'priority', 'history']
const WRITES = ['all', 'actions', 'none']
const HISTORIES = ['all', 'keys']
const POLICIES = ['reject', 'last-write-wins']

const isBag = (value: unknown): value is Bag => typeof value === 'object' && value !== null && !Array.isArray(value)
/** Prints a value as a developer would write it; functions and objects by their kind. */
const shown = (value: unknown): string =>
  value === null || ['string', 'number', 'boolean', 'undefined'].includes(typeof value)
    ? (JSON.stringify(value) ?? 'undefined')
    : Array.isArray(value)
      ? 'a list'
      : `a ${typeof value}`
const meant = (word: unknown, known: readonly string[]): string => {
  const likely = typeof word === 'string' ? nearest(word, known) : null
  return likely === null ? '' : `; did you mean ${likely}?`
}

function unknownKeys(bag: Bag, known: readonly string[], place: string): string[] {
  return Object.keys(bag)
    .filter((key) => !known.includes(key))
    .map((key) => `${place} has no option ${key}: it takes ${known.join(', ')}${meant(key, known)}`)
}

function oneOf(value: unknown, known: readonly string[], place: string, more = ''): string[] {
  if (typeof value === 'string' && known.includes(value)) return []
  const names = known.map((name) => `'${name}'`).join(', ')
  return [`${place} is ${shown(value)}: use one of ${names}${more}${meant(value, known)}`]
}

const nameOf = (table: PgTable) => {
  const { schema, name } = getTableConfig(table)
  return schema === undefined ? name : `${schema}.${name}`
}

function columnFault(value: unknown, table: PgTable, place: string): string[] {
  if (!is(value, PgColumn)) {
    const known = Object.entries(table).flatMap(([key, column]) => (is(column, PgColumn) ? [key] : []))
    return [`${place} is ${shown(value)}, and no column of table ${nameOf(table)}: its columns are ${known.join(', ')}`]
  }
  if (nameOf(value.table) === nameOf(table)) return []
  return [`${place} is column ${value.name} of table ${nameOf(value.table)}: take one of table ${nameOf(table)}`]
}

function audienceFaults(audience: unknown, table: PgTable, place: string): string[] {
  if (audience === 'all') return []
  if (!isBag(audience)) {
    const what = audience === undefined ? 'is missing' : `is ${shown(audience)}`
    return [`${place} ${what}: say who sees a row, 'all' or { column, prefix }${meant(audience, ['all'])}`]
  }
  if ('via' in audience || 'of' in audience) return viaFaults(audience, table, place)
  const faults = unknownKeys(audience, ['column', 'prefix'], place)
  faults.push(...columnFault(audience.column, table, `${place}.column`))
  if (typeof audience.prefix !== 'string')
    faults.push(`${place}.prefix is ${shown(audience.prefix)}: a text such as 'org'`)
  return faults
}

function viaFaults(audience: Bag, table: PgTable, place: string): string[] {
  const faults = unknownKeys(audience, ['via', 'of'], place)
  const via = Array.isArray(audience.via) ? audience.via : [audience.via]
  faults.push(...via.flatMap((column) => columnFault(column, table, `${place}.via`)))
  if (via.length === 0) faults.push(`${place}.via is empty: name the columns that refer to the parent`)
  if (!is(audience.of, PgTable)) faults.push(`${place}.of is ${shown(audience.of)}: give what pgTable() returned`)
  return faults
}

function whenFaults(when: unknown, audience: unknown, table: PgTable, place: string): string[] {
  if (!is(when, SQL)) return [`${place}.when is ${shown(when)}: write it with drizzle's sql\`…\``]
  if (audience === 'all')
    return [
      `${place}.when needs an audience of a column or of a parent, and 'all' is neither: give the table a column with one value, such as realm, say audience: { column, prefix: 'everyone' }, and grant everyone:<value> to each user`,
    ]
  return conditionFaults(when, table).map((fault) => `${place}.when ${fault}`)
}

/** Lists the faults in the options of a table. */
export function tableOptionFaults(table: unknown, options: unknown, within?: string): string[] {
  if (!is(table, PgTable)) return [`${within ?? 'table()'} names no drizzle table: give what pgTable() returned`]
  const place = within ?? `table(${nameOf(table)})`
  if (!isBag(options)) return [`${place} has no options: say at least { audience: 'all' }`]
  const faults = unknownKeys(options, OPTION_KEYS, place)
  faults.push(...audienceFaults(options.audience, table, `${place}.audience`))
  const { when, hidden, write, conflict, priority, history } = options
  if (when !== undefined) faults.push(...whenFaults(when, options.audience, table, place))
  if (hidden !== undefined && !(Array.isArray(hidden) && hidden.every((name) => typeof name === 'string')))
    faults.push(`${place}.hidden is ${shown(hidden)}: a list of the columns' names in the database, such as ['secret']`)
  if (write !== undefined) faults.push(...oneOf(write, WRITES, `${place}.write`))
  if (conflict !== undefined && typeof conflict !== 'function')
    faults.push(...oneOf(conflict, POLICIES, `${place}.conflict`, ', or a function'))
  if (priority !== undefined && !Number.isSafeInteger(priority))
    faults.push(`${place}.priority is ${shown(priority)}: a whole number, lower loads first`)
  if (history !== undefined) faults.push(...oneOf(history, HISTORIES, `${place}.history`))
  return faults
}

/** Lists the faults of an action's two parts. */
export function actionFaults(action: unknown, place: string): string[] {
  if (!isBag(action)) return [`${place} is ${shown(action)}: make it by action(schema, run)`]
  const faults = unknownKeys(action, ['schema', 'run', 'before', 'rekey'], place)
  if (!isBag(action.schema) || typeof action.schema.safeParseAsync !== 'function')
    faults.push(`${place}: the first argument of action() is a zod schema, such as z.object({ id: z.uuid() })`)
  if (typeof action.run !== 'function')
    faults.push(`${place}: the second argument of action() is a function, async ({ sql }, args) => { … }`)
  if (action.before !== undefined && typeof action.before !== 'function')
    faults.push(`${place}: before is a function, (args) => ({ … }), that says old arguments in today's form`)
  if (action.rekey !== undefined && typeof action.rekey !== 'function')
    faults.push(`${place}: rekey is a function, (args, key) => ({ … }), that says arguments under other keys`)
  return faults
}

function watchFaults(watch: unknown, place: string): string[] {
  if (!isBag(watch)) return [`${place} is ${shown(watch)}: { table, user }`]
  const faults = unknownKeys(watch, ['table', 'user'], place)
  if (!is(watch.table, PgTable))
    return [...faults, `${place}.table is ${shown(watch.table)}: give what pgTable() returned`]
  // A key given as undefined is a slip of the pen, and would ask for everyone's rights anew at each change.
  if ('user' in watch) faults.push(...columnFault(watch.user, watch.table, `${place}.user`))
  return faults
}

/**
 * Lists everything that is wrong with a sync definition by itself, one sentence each, with the name that was likely
 * meant.
 */
export function syncFaults(sync: unknown): string[] {
  if (!isBag(sync)) return [`the sync definition is ${shown(sync)}: defineSync({ tables: { … } })`]
  const faults = unknownKeys(sync, SYNC_KEYS, 'defineSync()')
  const { tables, actions, watch, migration } = sync
  if (!isBag(tables)) return [...faults, `tables is ${shown(tables)}: { issue: table(issue, { audience: 'all' }) }`]
  for (const [name, entry] of Object.entries(tables)) {
    const place = `tables.${name}`
    if (is(entry, PgTable)) faults.push(`${place} is a drizzle table by itself: table(${name}, { audience: 'all' })`)
    else if (!isBag(entry)) faults.push(`${place} is ${shown(entry)}: table(${name}, { audience: 'all' })`)
    else {
      const { table, ...options } = entry
      faults.push(...tableOptionFaults(table, options, place))
    }
  }
  // Chains can only be followed where each table says by itself who sees it.
  if (faults.length === 0) faults.push(...chainFaults(tables as Parameters<typeof chainFaults>[0]))
  if (actions !== undefined && !isBag(actions))
    faults.push(`actions is ${shown(actions)}: { name: action(schema, run) }`)
  else
    for (const [name, action] of Object.entries(actions ?? {})) faults.push(...actionFaults(action, `actions.${name}`))
  if (migration !== undefined && !(typeof migration === 'string' && /\.(sql|[cm]?[jt]s)$/.test(migration)))
    faults.push(`migration is ${shown(migration)}: the file name of the last migration, such as '0007_add-rank.sql'`)
  if (watch !== undefined && !Array.isArray(watch)) faults.push(`watch is ${shown(watch)}: a list, [{ table, user }]`)
  else for (const [index, entry] of (watch ?? []).entries()) faults.push(...watchFaults(entry, `watch[${index}]`))
  return faults
}
