import type { ActivityChange, ActivityPage } from '../../protocol/index.ts'
import { parsePgLsn } from '../../protocol/index.ts'
import { asClient, type ClientIdentity, type Database } from '../database/index.ts'
import { type ChangePlace, ISO, placeParams, readBounds, toldChangeOf } from './row-history.ts'

const ACTIVITY = `
  SELECT a.lsn::text, a.seq::text, a.audience, a.table_name, a.row_key::text AS key, a.operation, a.data::text AS data,
    a.old_data::text AS before, ${ISO('a.committed_at')} AS at, a.user_id, a.mutation_id
  FROM tidemark.activity($1, $2, $3::pg_lsn, $4::integer, $5::integer) AS a`

/** Reads what this reader may know of what happened in an audience, or in all of theirs, newest first. */
export async function readActivity(
  database: Database,
  reader: ClientIdentity,
  audience: string | null,
  below: ChangePlace | null,
  most: number,
): Promise<ActivityPage> {
  const { epoch, from } = await readBounds(database.query)
  const params = [epoch, audience, ...placeParams(below), most]
  const rows = await asClient(database, reader, ({ query }) => query(ACTIVITY, params), { readOnly: true })
  const changes = rows.flatMap((row): ActivityChange[] =>
    row.table_name === null || row.table_name === undefined
      ? []
      : [
          {
            ...toldChangeOf(row),
            audience: row.audience ?? '',
            table: row.table_name,
            key: JSON.parse(row.key ?? '{}'),
          },
        ],
  )
  // The page goes on below what was left out, too.
  const last = rows.length === most ? rows.at(-1) : undefined
  return { epoch, from, changes, next: last ? `${parsePgLsn(last.lsn ?? '')}.${last.seq}` : null }
}
