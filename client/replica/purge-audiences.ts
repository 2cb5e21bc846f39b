import type { LocalStore } from '../mutations/local-store.ts'
import { withAllUndone } from '../rebase/apply-under-pending.ts'
import { type Copy, type Executor, isShown, readCopies } from '../store/copies.ts'
import { audienceValue } from '../store/replica-table.ts'
import { deleteAudiences } from '../store/rows/audience-rows.ts'
import { addToCount } from '../store/rows/copy-rows.ts'
import { withServerRows } from '../store/server-rows.ts'
import { audiencesOfTable } from './unseen-changes.ts'

/** Removes the rows of audiences that this user may no longer see, in one transaction; what was pending there fails. */
export function purgeAudiences({ db, actions }: LocalStore, copy: Copy, audiences: readonly string[]): Promise<Copy> {
  return withServerRows(db, async (tx, hasPending) => {
    const work = () => deleteRowsOf(tx, copy, audiences)
    return hasPending && isShown(copy) ? withAllUndone(tx, copy, actions, work) : work()
  })
}

async function deleteRowsOf(tx: Executor, copy: Copy, audiences: readonly string[]): Promise<Copy> {
  let removed = 0
  for (const table of copy.tables.values()) {
    const { audience: rule } = table
    for (const audience of audiencesOfTable(table, audiences)) {
      const where = 'constant' in rule ? 'true OR $1 IS NULL' : `${audienceValue(table, rule.column)} = $1`
      const value = 'constant' in rule ? null : audience.slice(rule.prefix.length + 1)
      const { affectedRows = 0 } = await tx.query(`DELETE FROM ${table.name} WHERE ${where}`, [value])
      removed += affectedRows
    }
  }
  await deleteAudiences(tx, copy.place, audiences)
  await addToCount(tx, copy.place, -removed)
  const kept = (await readCopies(tx)).find(({ place }) => place === copy.place)
  return { ...copy, joins: kept?.joins ?? copy.joins, rows: copy.rows - removed }
}
