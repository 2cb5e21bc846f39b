import { deleteCopy } from '../store/copies.ts'
import type { Database } from '../store/database.ts'
import { dropAside } from '../store/definition-ddl.ts'

/** Drops the copy that is being loaded beside. */
export async function dropAddition(db: Database): Promise<void> {
  await db.transaction(async (tx) => {
    await deleteCopy(tx, 'aside')
    await tx.exec(dropAside())
  })
}
