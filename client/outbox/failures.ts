import {
  counterOf,
  type MutationId,
  mutationId,
  type PatchRow,
  type PredictedChange,
  type Rejection,
  type Row,
  TidemarkError,
} from '../../protocol/index.ts'
import { retryOf } from '../journal/rules/records.ts'
import { type FailedRow, type FailureDecision, type FailureRecord, MutationFailed } from '../mutations/mutation.ts'
import { actionOf } from '../mutations/mutation-records.ts'
import type { CallOrigin } from '../store/call-origin.ts'
import type { Copy, Executor } from '../store/copies.ts'
import type { Database } from '../store/database.ts'
import { readMadeBy, setOriginOfCurrent } from '../store/rows/mutation-rows.ts'
import { deleteFailed, type FailedMutation, readFailed } from '../store/rows/record-rows.ts'
import { pinSettings } from '../store/rows/settings.ts'
import { type RowWrite, readLocalRow, writePatchRows } from './local-rows.ts'
import type { Outbox } from './outbox.ts'

export interface FailuresOptions {
  readonly db: Database
  readonly outbox: Outbox
  readonly clientId: string
  readonly shown: () => Copy | null
}

/** Thrown in a transaction that is to be rolled back, because the failure was decided on before. */
class DecidedBefore extends Error {}

/** Reads failed mutations, and does what the app decides about them. */
export class Failures {
  readonly #options: FailuresOptions

  constructor(options: FailuresOptions) {
    this.#options = options
  }

  /** Reads all failures that wait for the app to decide, oldest first. */
  async readFailures(): Promise<FailureRecord[]> {
    const { db } = this.#options
    return db.transaction(async (tx) => {
      await pinSettings(tx)
      const failures: FailureRecord[] = []
      for (const failed of await readFailed(tx)) failures.push(await this.#recordOf(tx, failed))
      return failures
    })
  }

  /**
   * Does what was decided about a failure, and answers the mutation that it made; null where nothing had to be written. A
   * second decision writes nothing, and answers what the first made.
   *
   * Throws `bad-input` where the failure cannot be edited so, `not-found` where that made nothing.
   */
  async decideFailure(id: MutationId, decision: FailureDecision, by: CallOrigin | null): Promise<MutationId | null> {
    const counter = counterOf(id)
    const failed = (await readFailed(this.#options.db)).find((one) => one.counter === counter)
    try {
      if (!failed) throw new DecidedBefore()
      return await this.#decide(failed, decision, by)
    } catch (error) {
      if (!(error instanceof DecidedBefore)) throw error
      const made = await readMadeBy(this.#options.db, retryOf(counter))
      if (made !== null) return mutationId(this.#options.clientId, made)
      if (decision.kind === 'discard') return null
      throw new TidemarkError('not-found', 'This failure was decided on before: write what is still wanted anew.')
    }
  }

  async #decide(failed: FailedMutation, decision: FailureDecision, by: CallOrigin | null): Promise<MutationId | null> {
    const { counter } = failed
    const action = actionOf(failed)
    const patch = failed.patch ?? []
    if (decision.kind === 'discard') {
      await this.#options.outbox.discardMutation(counter)
      return null
    }
    const change = decision.kind === 'edit' ? decision.change : null
    if (action && (!change || 'args' in change))
      return this.#retryAction(counter, action.name, change ? change.args : action.args, by)
    if (!action && !change) return this.#retryPatch(counter, patch, null, by)
    if (!action && change && 'row' in change && patch[change.row]) return this.#retryPatch(counter, patch, change, by)
    throw new TidemarkError('bad-input', 'An action is edited by its arguments, a patch by one of its rows.')
  }

  async #recordOf(tx: Executor, failed: FailedMutation): Promise<FailureRecord> {
    const { counter, name, args, at, rejection } = failed
    const action = actionOf({ name, args })
    const rows = await this.#rows(tx, action ? (failed.predicted ?? []) : (failed.patch ?? []))
    return { id: mutationId(this.#options.clientId, counter), action, at, rejection, rows }
  }

  async #rows(tx: Executor, changes: readonly PredictedChange[]): Promise<FailedRow[]> {
    const tables = this.#options.shown()?.tables
    const rows: FailedRow[] = []
    for (const { t, k, ...row } of changes) {
      const table = tables?.get(t)
      const op = row.o === 'i' ? 'insert' : row.o === 'u' ? 'update' : 'delete'
      const local = row.o === 'd' ? null : row.d
      rows.push({ table: t, key: k, op, local, server: table ? await readLocalRow(tx, table, k) : null })
    }
    return rows
  }

  #retryAction(counter: number, name: string, args: unknown, by: CallOrigin | null): Promise<MutationId> {
    return this.#options.outbox.runAction(name, args, by, (tx) => consumeFailure(tx, counter))
  }

  async #retryPatch(
    counter: number,
    patch: readonly PatchRow[],
    edit: { readonly row: number; readonly values: Row } | null,
    by: CallOrigin | null,
  ): Promise<MutationId | null> {
    const { outbox, clientId, shown } = this.#options
    const copy = shown()
    if (!copy) throw new TidemarkError('unavailable', 'The replica holds nothing yet: wait until it is ready.')
    const rows = patch.map((row, index) => (index === edit?.row ? withValues(row, edit.values) : row))
    const { id } = await outbox.runTransaction(async (tx) => {
      const missing = await writePatchRows(tx, copy.tables, rows)
      if (missing) throw new MutationFailed(mutationId(clientId, counter), missingRow(missing))
      await consumeFailure(tx, counter)
    }, by)
    return id
  }
}

/** Notes that this transaction makes a failed mutation anew, which is gone with it. */
async function consumeFailure(tx: Executor, counter: number): Promise<void> {
  await setOriginOfCurrent(tx, retryOf(counter))
  if (!(await deleteFailed(tx, counter))) throw new DecidedBefore()
}

const missingRow = ({ table, key }: RowWrite): Rejection => ({
  kind: 'missing-row',
  message: `The row of ${table.id} is not there any more: discard, or write it anew.`,
  table: table.id,
  key: { ...key },
})

function withValues(row: PatchRow, values: Row): PatchRow {
  if (row.o === 'd') throw new TidemarkError('bad-input', 'A row that was deleted has no values to edit.')
  return { ...row, d: { ...row.d, ...values } }
}
