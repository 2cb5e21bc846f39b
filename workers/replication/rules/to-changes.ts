import { bundlesOf } from '../../../db/definition/definition-in-force.ts'
import type { OwnTableName } from '../../../db/definition/own-tables.ts'
import { clientAudience } from '../../../protocol/index.ts'
import { SchemaDrift } from './schema-drift.ts'
import type { TableEvent } from './source-event.ts'
import { audienceOfValues, rowToJson, type TablePlan, toJson, type Values } from './table-plan.ts'

/** One row of `change_history` without the columns of its transaction. JSON columns are JSON text. */
export interface HistoryRow {
  readonly table: string
  readonly operation: 'insert' | 'update' | 'delete' | 'truncate' | 'definition' | 'rights' | 'mutation'
  readonly key: string | null
  readonly data: string | null
  readonly oldData: string | null
  readonly audience: string | null
}

/** Makes the error for a log that contradicts the definition: nothing from this transaction on may be stored. */
function driftError(plan: TablePlan, what: string): SchemaDrift {
  return new SchemaDrift([{ table: plan.id, kind: 'rows', what }])
}

/**
 * Answers the rows that history keeps of one event, in order. Throws `schema-drift` where the log lacks a value that
 * the definition promises.
 */
export function toChanges(event: TableEvent): HistoryRow[] {
  const { plan } = event
  if (!plan.isSynced) return []
  const isInsert = event.type === 'row' && event.old === null
  // Later changes of our own rows are none to tell: a mutation is deleted once its author has acknowledged it.
  if (plan.own !== null) return isInsert ? [OWN_ROWS[plan.own](plan, requireWhole(plan, event.new ?? []))] : []
  if (event.type === 'truncate') {
    return [{ table: plan.id, operation: 'truncate', key: null, data: null, oldData: null, audience: null }]
  }
  if (event.old === null) return [insertRow(plan, requireWhole(plan, event.new ?? []))]
  const old = requireIdentity(plan, event.old)
  if (event.new === null) return [deleteRow(plan, old)]
  return updateRows(plan, old, event.new)
}

function updateRows(plan: TablePlan, old: Values, changed: Values): HistoryRow[] {
  const whole: (string | null)[] = new Array(plan.columns.length)
  const different: number[] = []
  for (let position = 0; position < plan.columns.length; position += 1) {
    const before = old[position] ?? null
    const after = changed[position]
    // An absent value is unchanged, and the old tuple has it.
    whole[position] = after === undefined ? before : after
    if (after !== undefined && after !== before) different.push(position)
  }
  if (different.length === 0) return []
  requireFilled(plan, whole, 'a row')
  const audience = audienceOfValues(plan, whole)
  const keyMoved = plan.keyPositions.some((position) => whole[position] !== old[position])
  if (keyMoved || audience !== audienceOfValues(plan, old)) return [deleteRow(plan, old), insertRow(plan, whole)]
  return [
    {
      table: plan.id,
      operation: 'update',
      key: toJson(plan, whole, plan.keyPositions),
      data: toJson(plan, whole, different),
      oldData: plan.isKeysOnly ? null : toJson(plan, old, different),
      audience,
    },
  ]
}

function insertRow(plan: TablePlan, values: Values): HistoryRow {
  const key = toJson(plan, values, plan.keyPositions)
  const audience = audienceOfValues(plan, values)
  return { table: plan.id, operation: 'insert', key, data: rowToJson(plan, values), oldData: null, audience }
}

function deleteRow(plan: TablePlan, old: Values): HistoryRow {
  const key = toJson(plan, old, plan.keyPositions)
  const audience = audienceOfValues(plan, old)
  return {
    table: plan.id,
    operation: 'delete',
    key,
    data: null,
    oldData: plan.isKeysOnly ? null : rowToJson(plan, old),
    audience,
  }
}

/** These make the row of history of an inserted row of our own tables. */
const OWN_ROWS: Readonly<Record<OwnTableName, (plan: TablePlan, values: Values) => HistoryRow>> = {
  sync_definition: definitionRow,
  mutation: mutationRow,
}

function definitionRow(plan: TablePlan, values: Values): HistoryRow {
  // The definition itself stands in `sync_definition`, under this version.
  const named = toJson(plan, values, [0, 1])
  const data = `${named.slice(0, -1)},"bundles":${JSON.stringify(bundlesOf(values[2]))}}`
  return {
    table: plan.id,
    operation: 'definition',
    key: toJson(plan, values, [0]),
    data,
    oldData: null,
    audience: null,
  }
}

function mutationRow(plan: TablePlan, values: Values): HistoryRow {
  const [client, counter, rejection, predicted] = values
  return {
    table: plan.id,
    operation: 'mutation',
    key: toJson(plan, values, plan.keyPositions),
    data: `{"counter":${counter},"rejection":${rejection ?? 'null'},"predicted":${predicted ?? 'null'}}`,
    oldData: null,
    audience: clientAudience(client ?? ''),
  }
}

/** Reads client and counter of the mutation that a row of history stands for; null for any other row. */
export function mutationOf({
  operation,
  key,
}: HistoryRow): { readonly client: string; readonly counter: number } | null {
  if (operation !== 'mutation') return null
  const { client_id: client = '', counter }: Record<string, string> = JSON.parse(key ?? '{}')
  return { client, counter: Number(counter) }
}

function requireWhole(plan: TablePlan, values: Values): Values {
  for (let position = 0; position < plan.columns.length; position += 1) {
    if (values[position] !== undefined) continue
    throw driftError(plan, `has a row without column ${plan.columns[position]} in the log`)
  }
  return requireFilled(plan, values, 'a row')
}

function requireIdentity(plan: TablePlan, old: Values): Values {
  for (let position = 0; position < plan.columns.length; position += 1) {
    if (old[position] !== undefined) continue
    throw driftError(
      plan,
      `had no REPLICA IDENTITY FULL, or no column ${plan.columns[position]}, when a row was changed`,
    )
  }
  // Columns that a partition without full identity leaves out come as NULL.
  return requireFilled(plan, old, 'an old row')
}

function requireFilled(plan: TablePlan, values: Values, which: string): Values {
  for (const position of plan.filledPositions) {
    if (values[position] === null)
      throw driftError(plan, `has ${which} with NULL in column ${plan.columns[position]} in the log`)
  }
  return values
}
