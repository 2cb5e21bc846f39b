import type { Lsn } from '../../../protocol/index.ts'
import type { ChangeStatement } from '../change-statements.ts'
import type { Database } from '../database.ts'

/**
 * Runs a statement on what is shown and moves its cursor, in one transaction; answers false where nothing of it was done,
 * because of unsettled work or of any fault, which the longer way then meets again.
 */
export async function applyStatement(
  db: Database,
  { text, parameter, expectedRows }: ChangeStatement,
  { cursor, rows }: { readonly cursor: Lsn; readonly rows: number },
): Promise<boolean> {
  let isDone = false
  try {
    await db.transaction(async (tx) => {
      const answer = await tx.query<{ done: boolean }>('SELECT tidemark.apply_statement($1, $2, $3, $4, $5) AS done', [
        text,
        parameter,
        expectedRows,
        cursor,
        rows,
      ])
      isDone = answer.rows[0]?.done === true
      if (!isDone) await tx.rollback()
    })
  } catch (error) {
    // From the commit on nothing may be done twice.
    if (isDone) throw error
  }
  return isDone
}
