import { quoteIdentifier, TidemarkError } from '../../protocol/index.ts'
import type { Copy, Executor } from '../store/copies.ts'
import type { Database } from '../store/database.ts'
import { type ReplicaTable, tableOf } from '../store/replica-table.ts'
import { storeLoaded } from '../store/rows/chunk-rows.ts'
import { addToCount } from '../store/rows/copy-rows.ts'
import { withServerRows } from '../store/server-rows.ts'
import type { ChunkJob, LoadedBytes } from './chunk-download.ts'
import { ensurePrimaryKeys } from './finish-tables.ts'
import { audiencesOfTable } from './unseen-changes.ts'

const list = (names: readonly string[]) => names.map(quoteIdentifier).join(', ')

/** Answers whether snapshots of several audiences have rows of a table, so that a later one may replace some. */
function isShared(copy: Copy, table: ReplicaTable): boolean {
  const bringing = copy.manifests.filter((manifest) =>
    manifest.tables.some((entry) => entry.table === table.id && entry.rows > 0),
  )
  return (
    audiencesOfTable(
      table,
      bringing.map(({ audience }) => audience),
    ).length > 1
  )
}

/**
 * Loads chunks of one table and audience and marks them loaded, in one transaction. Answers by how many rows the copy grew.
 *
 * Throws `corrupt` when the chunks do not hold what their manifest says.
 */
export async function loadChunks(db: Database, copy: Copy, chunks: readonly LoadedBytes[]): Promise<number> {
  const [first] = chunks
  if (!first) return 0
  const table = tableOf(copy.tables, first.job.table)
  const text = new Blob(chunks.map(({ copyText }) => copyText))
  const expected = chunks.reduce((sum, { job }) => sum + job.chunk.rows, 0)
  return withServerRows(db, async (tx) => {
    const shared = isShared(copy, table)
    if (shared) await ensurePrimaryKeys(tx, [table])
    const replaced = shared
      ? await copyOver(tx, table, first.job, text, expected)
      : await copyInto(tx, table.name, first.job, text, expected)
    await storeLoaded(
      tx,
      chunks.map(({ job }) => job),
    )
    const grown = expected - replaced
    await addToCount(tx, copy.place, grown)
    return grown
  })
}

async function copyInto(tx: Executor, target: string, job: ChunkJob, text: Blob, expected: number): Promise<0> {
  const { affectedRows } = await tx.query(`COPY ${target} (${list(job.columns)}) FROM '/dev/blob'`, [], { blob: text })
  if (affectedRows !== expected)
    throw new TidemarkError('corrupt', `Chunks of ${job.table} do not hold the rows their manifest says.`)
  return 0
}

/** Loads where a row may be there already from an earlier snapshot of another audience: the later snapshot's row stands. */
async function copyOver(
  tx: Executor,
  table: ReplicaTable,
  job: ChunkJob,
  text: Blob,
  expected: number,
): Promise<number> {
  await tx.exec('SAVEPOINT chunk')
  try {
    await copyInto(tx, table.name, job, text, expected)
    await tx.exec('RELEASE SAVEPOINT chunk')
    return 0
  } catch (error) {
    if (error instanceof TidemarkError) throw error
    await tx.exec('ROLLBACK TO SAVEPOINT chunk; RELEASE SAVEPOINT chunk')
  }
  const columns = list(job.columns)
  const sameKey = table.key.map(({ name }) => `t.${quoteIdentifier(name)} = s.${quoteIdentifier(name)}`).join(' AND ')
  await tx.exec(`CREATE TEMP TABLE tidemark_chunk ON COMMIT DROP AS SELECT ${columns} FROM ${table.name} WITH NO DATA`)
  await copyInto(tx, 'pg_temp.tidemark_chunk', job, text, expected)
  const { affectedRows = 0 } = await tx.query(
    `DELETE FROM ${table.name} AS t USING pg_temp.tidemark_chunk AS s WHERE ${sameKey}`,
  )
  await tx.exec(
    `INSERT INTO ${table.name} (${columns}) SELECT ${columns} FROM pg_temp.tidemark_chunk; DROP TABLE pg_temp.tidemark_chunk`,
  )
  return affectedRows
}
