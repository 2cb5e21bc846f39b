import { type Lsn, parsePgLsn, type SumsAnswer } from '../../protocol/index.ts'
import type { Database } from '../database/index.ts'
import { type NotYet, readAtOneMoment } from './read-snapshot.ts'
import { tableSumsQuery } from './table-rows-sql.ts'

/** Adds up an audience's rows of all synced tables as of one moment. Throws as `readAtOneMoment`. */
export async function readSums(database: Database, audience: string): Promise<SumsAnswer | NotYet> {
  const since = await readInsertPosition(database)
  const tables: SumsAnswer['tables'] = []
  const head = await readAtOneMoment(database, audience, async ({ query }, table, match) => {
    if (match === null) {
      tables.push({ table: table.id, rows: 0, digest: '0' })
      return
    }
    const { text, params } = tableSumsQuery(table, match)
    const [row] = await query(text, params)
    tables.push({ table: table.id, rows: Number(row?.rows ?? 0), digest: row?.digest ?? '0' })
  })
  if ('wait' in head) return head
  const { epoch, definition, fence, isWhole } = head
  const { version: definitionVersion, hash: definitionHash } = definition
  return { epoch, audience, definitionVersion, definitionHash, since, fence, isExact: isWhole, tables }
}

/** Every commit that returned before is at or below it. */
async function readInsertPosition({ query }: Database): Promise<Lsn> {
  const [row] = await query('SELECT pg_current_wal_insert_lsn()::text AS lsn')
  return parsePgLsn(row?.lsn ?? '')
}
