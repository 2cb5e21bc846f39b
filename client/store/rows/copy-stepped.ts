import { quoteLiteral } from '../../../protocol/index.ts'
import type { Copy } from '../copies.ts'
import type { Database } from '../database.ts'
import { NOTHING_OPEN } from '../outbox-ddl.ts'
import { SET_SERVER_ROWS } from '../server-rows.ts'

/** Lines of changed tables are read with each opening, and the whole definition is written anew where there are more of them. */
const CHANGED_CHARACTERS = 32 * 1024

/**
 * Runs statements that change tables of the shown copy and notes where it is then, in one transaction of one call; answers
 * false where nothing of it was done.
 */
export async function stepCopy(
  db: Database,
  { cursor, rows, definition: { version, hash } }: Copy,
  changed: string,
  statements: readonly string[],
): Promise<boolean> {
  const added = changed === '' ? '' : `, changed = changed || ${quoteLiteral(`${changed}\n`)}`
  const note = `UPDATE tidemark.copy SET cursor = ${quoteLiteral(cursor)}, rows = ${rows}, version = ${version}, hash = ${quoteLiteral(hash)}${added}
    WHERE place = 'live' AND stage = 'joined' AND length(changed) < ${CHANGED_CHARACTERS} AND ${NOTHING_OPEN} RETURNING true AS done;`
  const text = [SET_SERVER_ROWS, note, ...statements].join('\n')
  let isDone = false
  try {
    await db.transaction(async (tx) => {
      const results = await tx.exec(text)
      isDone = results.some(({ rows: [row] }) => row?.done === true)
      if (!isDone) await tx.rollback()
    })
  } catch (error) {
    // From the commit on nothing may be done twice.
    if (isDone) throw error
  }
  return isDone
}
