import type { Executor } from '../copies.ts'

/** A piece of a transaction that comes in parts. */
export interface StagedPiece {
  readonly position: number
  /** Its place among the fragments of one change; 0 where it is whole. */
  readonly piece: number
  /** True where `content` is a JSON array of changes, false where it is a slice of one change. */
  readonly isWhole: boolean
  readonly content: string
}

/** Stages a piece of a transaction, which is applied once all of them are there. */
export async function stagePiece(db: Executor, { position, piece, isWhole, content }: StagedPiece): Promise<void> {
  await db.query('INSERT INTO tidemark.part (position, piece, whole, content) VALUES ($1, $2, $3, $4)', [
    position,
    piece,
    isWhole,
    content,
  ])
}

/** Reads the positions of the staged parts, in order. */
export async function readPartPositions(tx: Executor): Promise<number[]> {
  const { rows } = await tx.query<{ position: number }>('SELECT DISTINCT position FROM tidemark.part ORDER BY position')
  return rows.map(({ position }) => position)
}

/** Reads the part at a position as the text of a JSON array of changes; fragments can only be checked as a whole. */
export async function readPartText(tx: Executor, position: number): Promise<string> {
  const { rows } = await tx.query<{ whole: boolean; content: string }>(
    'SELECT whole, content FROM tidemark.part WHERE position = $1 ORDER BY piece',
    [position],
  )
  const text = rows.map(({ content }) => content).join('')
  return rows[0]?.whole ? text : `[${text}]`
}

/** Drops the staged parts. */
export async function deleteParts(db: Executor): Promise<void> {
  await db.exec('DELETE FROM tidemark.part')
}
