import { z } from 'zod'
import {
  type MutationId,
  mutationId,
  type PatchRow,
  type PredictedChange,
  patchRowSchema,
  predictedChangeSchema,
  type Rejection,
  type Row,
  rejectionSchema,
  TidemarkError,
} from '../../protocol/index.ts'
import { retryOf } from '../journal/rules/records.ts'
import { type FailedRow, type Failure, MutationFailed, type MutationHandle } from '../mutations/mutation.ts'
import { actionOf } from '../mutations/mutation-records.ts'
import type { Copy, Executor } from '../store/copies.ts'
import type { Database } from '../store/database.ts'
import { keyRow, tableOf } from '../store/replica-table.ts'
import { pinSettings, type RowWrite, readLocalRow, writeLocalRows } from './local-rows.ts'
import type { Outbox } from './outbox.ts'

const failedSchema = z.object({
  counter: z.coerce.number(),
  name: z.string().nullable(),
  args: z.string().nullable(),
  at: z.string(),
  patch: z.string().nullable(),
  predicted: z.string().nullable(),
  rejection: z.string(),
})

type FailedMutation = z.infer<typeof failedSchema>

const FAILED = `SELECT counter, name, args, at, patch, predicted, rejection FROM tidemark.mutation
  WHERE status = 'failed' AND squashed_into IS NULL ORDER BY counter`

export interface FailuresOptions {
  readonly db: Database
  readonly outbox: Outbox
  readonly clientId: string
  readonly shown: () => Copy | null
  /** Answers the handle of a mutation just made. */
  readonly made: (id: MutationId) => MutationHandle
}

/** Reads failed mutations, with what the app may do about them. */
export class Failures {
  readonly #options: FailuresOptions

  constructor(options: FailuresOptions) {
    this.#options = options
  }

  /** Reads all failures that wait for the app to decide, oldest first. */
  async read(): Promise<Failure[]> {
    const { db } = this.#options
    return db.transaction(async (tx) => {
      await pinSettings(tx)
      const failures: Failure[] = []
      for (const row of (await tx.query(FAILED)).rows) failures.push(await this.#failure(tx, failedSchema.parse(row)))
      return failures
    })
  }

  async #failure(tx: Executor, failed: FailedMutation): Promise<Failure> {
    const { counter, name, args, at } = failed
    const id = mutationId(this.#options.clientId, counter)
    const action = actionOf({ name, args })
    const patch = z.array(patchRowSchema).parse(JSON.parse(failed.patch ?? '[]'))
    const predicted = z.array(predictedChangeSchema).parse(JSON.parse(failed.predicted ?? '[]'))
    const rejection = rejectionSchema.parse(JSON.parse(failed.rejection))
    return {
      id,
      action,
      at,
      rejection,
      rows: await this.#rows(tx, action ? predicted : patch),
      retry: () => (action ? this.#call(counter, action.name, action.args) : this.#write(id, counter, patch, null)),
      edit: (change) => {
        if ('args' in change && action) return this.#call(counter, action.name, change.args)
        if ('row' in change && !action && patch[change.row]) return this.#write(id, counter, patch, change)
        return Promise.reject(
          new TidemarkError('bad-input', 'An action is edited by its arguments, a patch by one of its rows.'),
        )
      },
      discard: async () => {
        const { db, outbox } = this.#options
        await outbox.discard(counter)
        await db.transaction((tx) => forget(tx, counter))
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

  async #call(counter: number, name: string, args: unknown): Promise<MutationHandle> {
    const { outbox, made } = this.#options
    const id = await outbox.run(name, args, async (tx, again) => {
      await tx.query('UPDATE tidemark.mutation SET origin = $2 WHERE counter = $1', [again, retryOf(counter)])
      await forget(tx, counter)
    })
    return made(id)
  }

  async #write(
    failed: MutationId,
    counter: number,
    patch: readonly PatchRow[],
    edit: { readonly row: number; readonly values: Row } | null,
  ): Promise<MutationHandle> {
    const { outbox, made, shown } = this.#options
    const copy = shown()
    if (!copy) throw new TidemarkError('unavailable', 'The replica holds nothing yet: wait until it is ready.')
    const rows = patch.map((row, index) => (index === edit?.row ? withValues(row, edit.values) : row))
    const { id } = await outbox.transaction(async (tx) => {
      await pinSettings(tx)
      const writes: RowWrite[] = []
      for (const row of rows) writes.push(await onRow(tx, writeOf(copy, row)))
      const missing = await writeLocalRows(tx, writes)
      if (missing) throw new MutationFailed(failed, missingRow(missing))
      await tx.query(
        `UPDATE tidemark.mutation SET origin = $1 WHERE counter::text = current_setting('tidemark.mutation', true)`,
        [retryOf(counter)],
      )
      await forget(tx, counter)
    })
    // Nothing had to be written, so all of it is there already.
    return id === null ? { id: failed, confirmed: Promise.resolve() } : made(id)
  }
}

/** Removes the record of a failed mutation, which has no other trace here. */
async function forget(tx: Executor, counter: number): Promise<void> {
  await tx.query(`DELETE FROM tidemark.mutation WHERE counter = $1 OR squashed_into = $1`, [counter])
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
