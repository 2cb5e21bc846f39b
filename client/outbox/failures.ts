import {
  type MutationId,
  mutationId,
  type PatchRow,
  type PredictedChange,
  type Rejection,
  type Row,
  TidemarkError,
} from '../../protocol/index.ts'
import { retryOf } from '../journal/rules/records.ts'
import { type FailedRow, type Failure, MutationFailed, type MutationHandle } from '../mutations/mutation.ts'
import { actionOf } from '../mutations/mutation-records.ts'
import type { Copy, Executor } from '../store/copies.ts'
import type { Database } from '../store/database.ts'
import { keyRow, tableOf } from '../store/replica-table.ts'
import { setOriginOfCurrent } from '../store/rows/mutation-rows.ts'
import { deleteMutation, type FailedMutation, readFailed } from '../store/rows/record-rows.ts'
import { pinSettings, type RowWrite, readLocalRow, writeLocalRows } from './local-rows.ts'
import type { Outbox } from './outbox.ts'

export interface FailuresOptions {
  readonly db: Database
  readonly outbox: Outbox
  readonly clientId: string
  readonly shown: () => Copy | null
  /** Answers the handle of a mutation just made. */
  readonly trackMade: (id: MutationId) => MutationHandle
}

/** Reads failed mutations, with what the app may do about them. */
export class Failures {
  readonly #options: FailuresOptions

  constructor(options: FailuresOptions) {
    this.#options = options
  }

  /** Reads all failures that wait for the app to decide, oldest first. */
  async readFailures(): Promise<Failure[]> {
    const { db } = this.#options
    return db.transaction(async (tx) => {
      await pinSettings(tx)
      const failures: Failure[] = []
      for (const failed of await readFailed(tx)) failures.push(await this.#failureOf(tx, failed))
      return failures
    })
  }

  async #failureOf(tx: Executor, failed: FailedMutation): Promise<Failure> {
    const { counter, name, args, at, rejection } = failed
    const id = mutationId(this.#options.clientId, counter)
    const action = actionOf({ name, args })
    const patch = failed.patch ?? []
    return {
      id,
      action,
      at,
      rejection,
      rows: await this.#rows(tx, action ? (failed.predicted ?? []) : patch),
      retry: () =>
        action ? this.#retryAction(counter, action.name, action.args) : this.#retryPatch(id, counter, patch, null),
      edit: (change) => {
        if ('args' in change && action) return this.#retryAction(counter, action.name, change.args)
        if ('row' in change && !action && patch[change.row]) return this.#retryPatch(id, counter, patch, change)
        return Promise.reject(
          new TidemarkError('bad-input', 'An action is edited by its arguments, a patch by one of its rows.'),
        )
      },
      discard: async () => {
        const { db, outbox } = this.#options
        await outbox.discardMutation(counter)
        await db.transaction((tx) => deleteMutation(tx, counter))
      },
    }
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

  async #retryAction(counter: number, name: string, args: unknown): Promise<MutationHandle> {
    const { outbox, trackMade } = this.#options
    const id = await outbox.runAction(name, args, async (tx) => {
      await setOriginOfCurrent(tx, retryOf(counter))
      await deleteMutation(tx, counter)
    })
    return trackMade(id)
  }

  async #retryPatch(
    failed: MutationId,
    counter: number,
    patch: readonly PatchRow[],
    edit: { readonly row: number; readonly values: Row } | null,
  ): Promise<MutationHandle> {
    const { outbox, trackMade, shown } = this.#options
    const copy = shown()
    if (!copy) throw new TidemarkError('unavailable', 'The replica holds nothing yet: wait until it is ready.')
    const rows = patch.map((row, index) => (index === edit?.row ? withValues(row, edit.values) : row))
    const { id } = await outbox.runTransaction(async (tx) => {
      await pinSettings(tx)
      const writes: RowWrite[] = []
      for (const row of rows) writes.push(await onRow(tx, writeOf(copy, row)))
      const missing = await writeLocalRows(tx, writes)
      if (missing) throw new MutationFailed(failed, missingRow(missing))
      await setOriginOfCurrent(tx, retryOf(counter))
      await deleteMutation(tx, counter)
    })
    // Nothing had to be written, so all of it is there already.
    return id === null ? { id: failed, confirmed: Promise.resolve() } : trackMade(id)
  }
}

const missingRow = ({ table, key }: RowWrite): Rejection => ({
  kind: 'missing-row',
  message: `The row of ${table.id} is not there any more: discard, or write it anew.`,
  table: table.id,
  key: { ...key },
})

/** Turns an insert of a row that is there by now into an update. */
async function onRow(tx: Executor, write: RowWrite): Promise<RowWrite> {
  const { table, op, key, values } = write
  if (op !== 'insert' || (await readLocalRow(tx, table, key)) === null) return write
  const changed = Object.entries(values ?? {}).filter(([name]) => !Object.hasOwn(key, name))
  return { ...write, op: 'update', values: Object.fromEntries(changed) }
}

function withValues(row: PatchRow, values: Row): PatchRow {
  if (row.o === 'd') throw new TidemarkError('bad-input', 'A row that was deleted has no values to edit.')
  return { ...row, d: { ...row.d, ...values } }
}

function writeOf(copy: Copy, row: PatchRow): RowWrite {
  const table = tableOf(copy.tables, row.t)
  if (row.o === 'd') return { table, key: row.k, op: 'delete', values: null }
  return {
    table,
    key: row.o === 'i' ? keyRow(copy.tables, row.t, row.d) : row.k,
    op: row.o === 'i' ? 'insert' : 'update',
    values: row.d,
  }
}
