import type { ZodMiniType } from 'zod/mini'
import {
  type ActivityPage,
  activityPageSchema,
  type HistoryPage,
  historyPageSchema,
  type MutationHistory,
  type MutationId,
  mutationHistorySchema,
  outputExpression,
  type PastRow,
  pastRowSchema,
  type Row,
  TidemarkError,
} from '../../protocol/index.ts'
import type { Http } from '../connection/http.ts'
import { HistoryRefused, type RowInTheWay } from '../mutations/history-refused.ts'
import { netChanges } from '../mutations/rules/net-changes.ts'
import { patchTables } from '../mutations/rules/patch-of-writes.ts'
import { type RowReversal, reversals } from '../mutations/rules/reverse-rows.ts'
import type { CallOrigin } from '../store/call-origin.ts'
import { type Copy, type Executor, isShown } from '../store/copies.ts'
import type { Database } from '../store/database.ts'
import { keyRow, type ReplicaTable, tableOf } from '../store/replica-table.ts'
import { findReferring } from '../store/rows/referring-rows.ts'
import { pinSettings } from '../store/rows/settings.ts'
import { readLocalRow } from './local-rows.ts'
import { orderSteps, type RowReference, stepInTheWay, writeStep } from './reverse-steps.ts'
import { planRestore, type RestoreOptions } from './rules/plan-restore.ts'
import type { Writing } from './writing.ts'

/** What is to be written, as data that any tab may hold between the plan and the deed. */
export interface PastPlan {
  readonly steps: readonly RowReversal[]
  /** Foreign keys of the server by which rows may refer to one that goes. */
  readonly references: readonly RowReference[]
  /** Columns that the row had then, and has no more. */
  readonly gone: readonly string[]
}

/** The key of a row: the value of its one column, or the values by column. */
export type RowKey = string | number | bigint | Readonly<Record<string, string | number | bigint>>

export interface PageOptions {
  /** 1 to 100; default 50. */
  readonly limit?: number
  /** `next` of the page before. */
  readonly before?: string
}

export interface ActivityOptions extends PageOptions {
  /** One of the user's audiences; default all of them. */
  readonly audience?: string
}

interface PastContext {
  readonly db: Database
  readonly http: Http
  readonly writing: Writing
  readonly shown: () => Copy | null
  readonly signal: AbortSignal
}

/**
 * Reads what the server keeps of the past, and writes it again as new mutations of the outbox, so that rights, conflicts and
 * confirmations are as for whatever the app writes.
 *
 * It is long because reading, planning and doing go by the same copy and its tables.
 */
export class Past {
  readonly #context: PastContext

  constructor(context: PastContext) {
    this.#context = context
  }

  readHistory(table: string, key: RowKey, options: PageOptions): Promise<HistoryPage> {
    return this.#ask(`${this.#addressOf(table, key)}${queryOf(options)}`, historyPageSchema)
  }

  readActivity(options: ActivityOptions): Promise<ActivityPage> {
    return this.#ask(`/sync/activity${queryOf(options)}`, activityPageSchema)
  }

  readRowAt(table: string, key: RowKey, at: string): Promise<PastRow> {
    return this.#ask(`${this.#addressOf(table, key)}${queryOf({ at })}`, pastRowSchema)
  }

  /** Plans to bring a row back to what it was at a place. Rejects with HistoryRefused. */
  async planRestore(name: string, key: RowKey, at: string, options: RestoreOptions): Promise<PastPlan> {
    const table = this.#tableOf(name)
    const unknown = [...(options.columns ?? []), ...(options.except ?? [])].find((one) => !table.columnByName.has(one))
    if (unknown !== undefined) throw new TidemarkError('bad-input', `${table.id} has no column ${unknown}.`)
    const past = await this.readRowAt(table.id, key, at)
    const copy = this.#copyOf(past.epoch, [table.id])
    this.#requireColumns(table, past.row)
    return this.#context.db.transaction(async (tx) => {
      await pinSettings(tx)
      const plan = planRestore(table, past, await readLocalRow(tx, table, keyOf(table, key)), options)
      if (plan.refused !== null) {
        const columns = plan.refused === 'columns' ? plan.columns : []
        throw new HistoryRefused(plan.refused, [{ table: table.id, key: keyOf(table, key), columns }])
      }
      const { step } = plan
      if (step === null) return { steps: [], references: [], gone: past.gone }
      const whole = plan.open.length === 0 ? step : await this.#completed(tx, copy, step)
      return { steps: [whole], references: [], gone: past.gone }
    })
  }

  /** Plans to take back all that a confirmed mutation of this user changed. Rejects with HistoryRefused. */
  async planRollback(id: MutationId | string): Promise<PastPlan> {
    const record = await this.#context.writing.readMutation(id)
    if (record && record.status !== 'confirmed') throw new HistoryRefused('unconfirmed')
    const history = await this.#ask(`/sync/history/mutation/${encodeURIComponent(id)}`, mutationHistorySchema)
    const tables = [...new Set(history.changes.map(({ table }) => table))]
    if (!history.isWhole) throw new HistoryRefused('partial')
    const untold = history.changes.filter((change) => change.untold.length > 0)
    if (untold.length > 0)
      throw new HistoryRefused(
        'columns',
        untold.map(({ table, key, untold: columns }) => ({ table, key, columns })),
      )
    const copy = this.#copyOf(history.epoch, tables)
    for (const { table, data, before } of history.changes)
      this.#requireColumns(tableOf(copy.tables, table), { ...data, ...before })
    return this.#context.db.transaction(async (tx) => {
      await pinSettings(tx)
      const steps: RowReversal[] = []
      for (const step of stepsOf(history, copy))
        steps.push(step.from === null ? await this.#completed(tx, copy, step) : step)
      const { references } = history
      return { steps: orderSteps(steps, copy, references), references, gone: [] }
    })
  }

  /** Writes a plan as one mutation; null where there is nothing to write. Rejects with HistoryRefused. */
  async carryOut({ steps, references }: PastPlan, by: CallOrigin | null): Promise<MutationId | null> {
    if (steps.length === 0) return null
    const { id } = await this.#context.writing.runTransaction(async (tx) => {
      const copy = this.#copyOf(
        null,
        steps.map(({ table }) => table),
      )
      await pinSettings(tx)
      const changed: RowInTheWay[] = []
      for (const step of steps) {
        const columns = await stepInTheWay(tx, copy, step)
        if (columns) changed.push({ table: step.table, key: step.key, columns })
      }
      if (changed.length > 0) throw new HistoryRefused('changed', changed)
      const { keys } = patchTables(copy.tables)
      const builtOn = await findReferring(tx, copy.tables, [...keys, ...references], steps)
      if (builtOn.length > 0) throw new HistoryRefused('built-on', builtOn)
      for (const step of steps) await writeStep(tx, copy, step)
    }, by)
    return id
  }

  async #ask<Answer>(path: string, schema: ZodMiniType<Answer>): Promise<Answer> {
    const { data } = schema.safeParse(await this.#context.http.json(path, this.#context.signal))
    if (data === undefined)
      throw new TidemarkError('corrupt', 'The server told of the past what this client cannot read.')
    return data
  }

  #addressOf(name: string, key: RowKey): string {
    const table = this.#tableOf(name)
    const text = JSON.stringify(keyOf(table, key))
    return `/sync/history/${encodeURIComponent(table.id)}/${encodeURIComponent(text)}`
  }

  /** Finds a table by its id, or by its name where no other schema has one of that name. */
  #tableOf(name: string): ReplicaTable {
    const all = [...this.#shownCopy().tables.values()]
    const named = all.filter(({ definition }) => definition.name === name)
    const found = all.find(({ id }) => id === name) ?? (named.length === 1 ? named[0] : undefined)
    if (!found)
      throw new TidemarkError('bad-input', `${name} is no synced table: name it with its schema, as public.issue.`)
    return found
  }

  #shownCopy(): Copy {
    const copy = this.#context.shown()
    if (!copy || !isShown(copy))
      throw new TidemarkError('unavailable', 'The replica is not loaded yet: await replica.ready before this.')
    return copy
  }

  /** The copy that is shown, if it is of that history and has these tables as the server has them. */
  #copyOf(epoch: string | null, tables: readonly string[]): Copy {
    const copy = this.#shownCopy()
    const lacks = tables.find((id) => copy.behind.has(id) || !copy.tables.has(id))
    if (lacks !== undefined || (epoch !== null && epoch !== copy.epoch))
      throw new TidemarkError('unavailable', 'The replica does not yet hold what the server has now; try again soon.')
    return copy
  }

  #requireColumns(table: ReplicaTable, row: Row | null): void {
    if (Object.keys(row ?? {}).some((name) => !table.definition.columns.some((column) => column.name === name)))
      throw new TidemarkError('unavailable', 'A migration is on its way to this replica; try again when it is here.')
  }

  /** Gives a row that comes back the defaults of columns that it did not have, and what no default fills is refused. */
  async #completed(tx: Executor, copy: Copy, step: RowReversal): Promise<RowReversal> {
    const table = tableOf(copy.tables, step.table)
    const to: Record<string, string | null> = { ...step.to }
    for (const { name, type, notNull, default: filling, serverDefault, serverGenerated } of table.columns) {
      if (Object.hasOwn(to, name) || serverGenerated) continue
      if (filling === undefined && notNull && !serverDefault)
        throw new HistoryRefused('columns', [{ table: step.table, key: step.key, columns: [name] }])
      const text = `SELECT ${outputExpression({ name: 'v', type }, 't')} AS v FROM (SELECT (${filling})::${type} AS v) AS t`
      const { rows } = filling === undefined ? { rows: [] } : await tx.query<{ v: string | null }>(text)
      to[name] = rows[0]?.v ?? null
    }
    return { ...step, to }
  }
}

function keyOf(table: ReplicaTable, key: RowKey): Row {
  const values = typeof key === 'object' ? key : table.key.length === 1 ? { [table.key[0]?.name ?? '']: key } : {}
  return Object.fromEntries(
    table.key.map(({ name }) => {
      const value = Object.hasOwn(values, name) ? values[name] : undefined
      if (value === undefined || value === null)
        throw new TidemarkError(
          'bad-input',
          `The key of ${table.id} is ${table.key.map((one) => one.name).join(', ')}.`,
        )
      return [name, String(value)]
    }),
  )
}

function queryOf(options: object): string {
  const given = Object.entries(options).filter(([, value]) => value !== undefined && value !== null)
  return given.length === 0 ? '' : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`
}

/** What the server writes with every update, and generated columns, are not taken back in a row that stays. */
function stepsOf({ changes, stamps }: MutationHistory, copy: Copy): RowReversal[] {
  const steps = reversals(netChanges(changes), (id, row) => keyRow(copy.tables, id, row))
  return steps.flatMap((step): RowReversal[] => {
    const { columns: defined } = tableOf(copy.tables, step.table)
    if (step.to !== null && step.from === null) return [step]
    const left = new Set(stamps[step.table])
    for (const { name, serverGenerated } of defined) if (serverGenerated) left.add(name)
    const columns = step.columns.filter((name) => !left.has(name))
    return columns.length === 0 ? [] : [{ ...step, columns }]
  })
}
