import type { Executor } from '../copies.ts'

/** One chunk of the copy that is being loaded: its place among those of its audience and table. */
export interface LoadedChunk {
  readonly audience: string
  readonly table: string
  readonly position: number
}

/** Reads which chunks of the copy that is being loaded are there. */
export async function readLoadedChunks(db: Executor): Promise<LoadedChunk[]> {
  const { rows } = await db.query<{ audience: string; table_id: string; position: number }>(
    'SELECT * FROM tidemark.loaded_chunk',
  )
  return rows.map(({ audience, table_id: table, position }) => ({ audience, table, position }))
}

/** Marks chunks as loaded, in the transaction that loads them. */
export async function storeLoaded(tx: Executor, chunks: readonly LoadedChunk[]): Promise<void> {
  const marks = chunks.map(({ audience, table, position }) => ({ audience, table_id: table, position }))
  await tx.query(
    `INSERT INTO tidemark.loaded_chunk (audience, table_id, position)
     SELECT audience, table_id, position FROM json_to_recordset($1::text::json) AS x(audience text, table_id text, position int)`,
    [JSON.stringify(marks)],
  )
}

/** Forgets all marks, because the copy was loaded or is given up. */
export async function deleteMarks(tx: Executor): Promise<void> {
  await tx.exec('DELETE FROM tidemark.loaded_chunk')
}

/** Forgets the marks of a table that is left out of the copy. */
export async function deleteMarksOf(tx: Executor, table: string): Promise<void> {
  await tx.query('DELETE FROM tidemark.loaded_chunk WHERE table_id = $1', [table])
}
