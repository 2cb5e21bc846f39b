import type { Transaction } from '@electric-sql/pglite'
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
import { NOTIFY_OUTBOX } from '../store/rules/outbox-notice.ts'
import { type RowWrite, readLocalRow, writePatchRows } from './local-rows.ts'
import type { Outbox } from './outbox.ts'

export interface FailuresOptions {
  readonly db: Database
  readonly outbox: Outbox
  readonly clientId: string
  readonly shown: () => Copy | null
}

type Change = Extract<FailureDecision, { kind: 'edit' }>['change']

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
   * second decision writes nothing, and answers what the first made. Rule TAB-R21.
   *
   * Throws `bad-input` where the failure cannot be edited so, `not-found` where that made nothing.
   */
  async decideFailure(id: MutationId, decision: FailureDecision, by: CallOrigin | null): Promise<MutationId | null> {
    const { db, clientId } = this.#options
    const counter = counterOf(id)
    try {
      return await db.transaction(async (tx) => {
        if (decision.kind === 'discard') return await discardFailure(tx, counter)
        const failed = (await readFailed(tx)).find((one) => one.counter === counter)
        if (!failed) throw new DecidedBefore()
        return await this.#writeAgain(tx, failed, decision.kind === 'edit' ? decision.change : null, by)
      })
    } catch (error) {
      if (!(error instanceof DecidedBefore)) throw error
      const made = await readMadeBy(db, retryOf(counter))
      if (made !== null) return mutationId(clientId, made)
      if (decision.kind === 'discard') return null
      throw new TidemarkError('not-found', 'This failure was decided on before: write what is still wanted anew.')
    }
  }

  async #writeAgain(
    tx: Transaction,
    failed: FailedMutation,
    change: Change | null,
    by: CallOrigin | null,
  ): Promise<MutationId | null> {
    const { counter } = failed
    const action = actionOf(failed)
    const patch = failed.patch ?? []
    if (action && (!change || 'args' in change)) {
      const made = await this.#options.outbox.runActionIn(tx, action.name, change ? change.args : action.args, by)
      await consumeFailure(tx, counter)
      return made
    }
    if (!action && !change) return this.#writePatch(tx, counter, patch, by)
    if (!action && change && 'row' in change && patch[change.row]) {
      const { row: edited, values } = change
      const rows = patch.map((row, index) => (index === edited ? withValues(row, values) : row))
      return this.#writePatch(tx, counter, rows, by)
    }
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

  async #writePatch(
    tx: Transaction,
    counter: number,
    rows: readonly PatchRow[],
    by: CallOrigin | null,
  ): Promise<MutationId | null> {
    const { outbox, clientId, shown } = this.#options
    const copy = shown()
    if (!copy) throw new TidemarkError('unavailable', 'The replica holds nothing yet: wait until it is ready.')
    const write = async () => {
      const missing = await writePatchRows(tx, copy.tables, rows)
      if (missing) throw new MutationFailed(mutationId(clientId, counter), missingRow(missing))
      await consumeFailure(tx, counter)
    }
    return (await outbox.runTransactionIn(tx, write, by)).id
  }
}

async function discardFailure(tx: Executor, counter: number): Promise<null> {
  if (!(await deleteFailed(tx, counter))) throw new DecidedBefore()
  await tx.exec(NOTIFY_OUTBOX)
  return null
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
