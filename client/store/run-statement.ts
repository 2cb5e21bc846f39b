import { TidemarkError } from '../../protocol/index.ts'
import type { ChangeStatement } from './change-statements.ts'
import type { Executor } from './copies.ts'
import type { ReplicaTable } from './replica-table.ts'

/** Runs it and answers by how many rows the table grew. Throws `rehydrate-required` where it affects the wrong rows. */
export async function runStatement(tx: Executor, table: ReplicaTable, statement: ChangeStatement): Promise<number> {
  const { text, parameter, expectedRows, countSign } = statement
  const { affectedRows = 0 } = await tx.query(text, parameter === null ? [] : [parameter])
  if (expectedRows !== null && affectedRows !== expectedRows) {
    throw new TidemarkError(
      'rehydrate-required',
      `The stream changes rows of ${table.id} that this replica does not have.`,
    )
  }
  return countSign * affectedRows
}
