import { z } from 'zod'
import type { Replica } from '../../client/replica-api.ts'
import { definitionSchema, type Lsn } from '../../protocol/index.ts'
import { keyOf } from './history-model.ts'
import { linesOf, PIN_SETTINGS, type ReplicaSample, rowOf, selectAsText } from './samples.ts'

interface Position {
  readonly epoch: string
  readonly cursor: Lsn
  readonly version: number
  readonly definition: string
  readonly audiences: string[]
}

const heldSchema = z.object({ ...definitionSchema.shape, behind: z.array(z.string()) })

/** Selects the replica's position and the audiences that it says it shows; no row before it has first joined. */
const POSITION = `SELECT epoch, cursor, version, definition,
    ARRAY(SELECT audience FROM tidemark.audience WHERE place = 'live' ORDER BY audience) AS audiences
  FROM tidemark.copy WHERE place = 'live' AND stage = 'joined'`

const TOUCHED = 'SELECT DISTINCT key FROM tidemark.write WHERE table_id = $1'

/** Reads a replica at one moment, but for rows on which unsent work lies; null before it is first ready. */
export async function sampleReplica(
  db: Pick<Replica['db'], 'transaction'>,
): Promise<Omit<ReplicaSample, 'replica' | 'moment' | 'takenMs'> | null> {
  return db.transaction(async (transaction) => {
    await transaction.exec(PIN_SETTINGS)
    const [position] = (await transaction.query<Position>(POSITION)).rows
    if (!position) return null
    const { definition, ...where } = position
    const lines = new Map<string, readonly string[]>()
    const touched = new Map<string, ReadonlySet<string>>()
    const { tables, behind } = heldSchema.parse(JSON.parse(definition))
    for (const table of tables.filter(({ id }) => !behind.includes(id))) {
      const keys = (await transaction.query<{ key: string }>(TOUCHED, [table.id])).rows
      // A key of one column is written as its value alone.
      const single = table.primaryKey.length === 1
      const out = new Set(keys.map(({ key }) => (single ? JSON.stringify([key]) : key)))
      const { rows } = await transaction.query<(string | null)[]>(selectAsText(table, false), [], { rowMode: 'array' })
      const kept = out.size === 0 ? rows : rows.filter((row) => !out.has(keyOf(table, rowOf(table, row))))
      lines.set(table.id, linesOf(kept))
      touched.set(table.id, out)
    }
    return { ...where, behind, lines, touched }
  })
}
