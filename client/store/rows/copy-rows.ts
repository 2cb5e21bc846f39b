import type { Lsn } from '../../../protocol/index.ts'
import type { Executor } from '../copies.ts'
import type { Place } from '../replica-table.ts'

/** Moves the cursor of a copy and counts its rows. */
export async function moveCursor(
  tx: Executor,
  { place, cursor, rows }: { readonly place: Place; readonly cursor: Lsn; readonly rows: number },
): Promise<void> {
  await tx.query('UPDATE tidemark.copy SET cursor = $2, rows = $3 WHERE place = $1', [place, cursor, rows])
}

/** Notes that a copy has so many rows more, or fewer where it is negative. */
export async function addToCount(tx: Executor, place: Place, rows: number): Promise<void> {
  await tx.query('UPDATE tidemark.copy SET rows = rows + $2 WHERE place = $1', [place, rows])
}

/** Notes how many rows the shown copy has. */
export async function writeCount(tx: Executor, rows: number): Promise<void> {
  await tx.query(`UPDATE tidemark.copy SET rows = $1 WHERE place = 'live'`, [rows])
}

/** Puts the copy aside, with its audiences, in the place of the shown one. */
export async function replaceLiveCopy(tx: Executor): Promise<void> {
  const moves = ['copy', 'audience'].map(
    (table) => `DELETE FROM tidemark.${table} WHERE place = 'live';
      UPDATE tidemark.${table} SET place = 'live' WHERE place = 'aside';`,
  )
  await tx.exec(moves.join('\n'))
}

/** Adds the audiences of the copy aside to the shown one, which has so many rows then. */
export async function mergeAside(tx: Executor, rows: number): Promise<void> {
  await tx.exec(`DELETE FROM tidemark.copy WHERE place = 'aside'`)
  await writeCount(tx, rows)
  await tx.exec(`UPDATE tidemark.audience SET place = 'live', manifest = NULL WHERE place = 'aside'`)
}
