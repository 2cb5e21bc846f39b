import type { Query } from '../../db/query.ts'
import { formatPgLsn, type Lsn, parsePgLsn } from '../../protocol/index.ts'
import { textArray } from '../database/index.ts'
import { PUBLICATION } from './pgoutput-source.ts'
import { bytesOfHex, decodeRelation } from './rules/decode-pgoutput.ts'
import type { ToldRows, ToldWindow } from './rules/place-version.ts'
import { printTypes } from './told-types.ts'
import { wal2jsonName } from './wal2json-source.ts'

/** A table by its names and its oid, since decoders know one or the other. */
export interface LoggedTable {
  readonly schema: string
  readonly name: string
  readonly relation: string
}

export interface RowsToFind {
  readonly slotName: string
  readonly decoder: string
  readonly tables: readonly LoggedTable[]
  /** Only transactions that end above it are looked at. */
  readonly above: Lsn
  /** The version of the definition whose transaction is to be found. */
  readonly version: number
}

/**
 * Finds of which looks the log tells rows of these tables, from the slot's place on; null where it does not tell of the
 * version yet. Decodes all that is waiting. Throws what the database throws.
 */
export async function findToldRows(query: Query, wanted: RowsToFind): Promise<ToldWindow | null> {
  const rows = await (wanted.decoder === 'wal2json' ? readWal2json(query, wanted) : readPgoutput(query, wanted))
  const storedBy = rows.find(({ kind }) => kind === 'version')?.first
  if (!storedBy) return null
  const told = rows.filter(({ kind }) => kind === 'rows')
  const looks = await (wanted.decoder === 'wal2json' ? looksOfWal2json(told) : looksOfPgoutput(query, told))
  return {
    storedBy: Number(storedBy),
    rows: told.map(
      ({ relation, first, last, first_end }, index): ToldRows => ({
        relation: relation ?? '',
        columns: looks[index] ?? [],
        first: Number(first),
        last: Number(last),
        firstEnd: parsePgLsn(first_end ?? ''),
      }),
    ),
  }
}

type Found = Record<string, string | null>
type Look = ToldRows['columns']

/** The first byte of a message names its kind, in ASCII: B, C, R(elation), I, U, D. */
const PGOUTPUT = `
  WITH told AS MATERIALIZED (
    SELECT n, lsn, get_byte(data, 0) AS tag, data
    FROM pg_logical_slot_peek_binary_changes($1, NULL, NULL, 'proto_version', '1', 'publication_names', $2)
      WITH ORDINALITY AS p(lsn, xid, data, n)
    WHERE get_byte(data, 0) IN (66, 67, 68, 73, 82, 85)),
  placed AS MATERIALIZED (
    SELECT *, count(*) FILTER (WHERE tag = 66) OVER (ORDER BY n) AS place,
      count(*) FILTER (WHERE tag = 82) OVER (PARTITION BY relation ORDER BY n) AS described
    FROM told LEFT JOIN LATERAL (
      SELECT CASE WHEN tag NOT IN (66, 67) THEN ('x' || encode(substring(data FROM 2 FOR 4), 'hex'))::bit(32)::int8 END AS relation
    ) AS named ON true),
  ends AS (SELECT place, lsn FROM placed WHERE tag = 67 AND lsn > $3::pg_lsn),
  looks AS (
    SELECT relation, described, min(place) AS first, max(place) AS last
    FROM placed JOIN ends USING (place)
    WHERE tag IN (68, 73, 85) AND relation::text = ANY ($4::text[])
    GROUP BY relation, described)
  SELECT 'rows' AS kind, l.relation::text, r.data::text AS look, l.first::text, l.last::text, e.lsn::text AS first_end
  FROM looks l JOIN ends e ON e.place = l.first
    JOIN placed r ON r.tag = 82 AND r.relation = l.relation AND r.described = l.described
  UNION ALL
  -- Its first column's text stands behind 13 bytes, four of which are its length.
  SELECT 'version', NULL, NULL, place::text, NULL, NULL FROM placed
  WHERE tag = 73 AND relation = 'tidemark.sync_definition'::regclass::oid::int8
    AND substring(data FROM 14 FOR get_byte(data, 12)) = convert_to($5, 'UTF8')`

async function readPgoutput(query: Query, { slotName, tables, above, version }: RowsToFind): Promise<Found[]> {
  const relations = textArray(tables.map(({ relation }) => relation))
  return await query(PGOUTPUT, [slotName, PUBLICATION, formatPgLsn(above), relations, String(version)])
}

async function looksOfPgoutput(query: Query, told: readonly Found[]): Promise<Look[]> {
  const messages = told.map(({ look }) => decodeRelation(bytesOfHex(look ?? '')).columns)
  const types = await printTypes(query, messages.flat())
  let at = 0
  return messages.map((columns) => columns.map(({ name }) => ({ name, type: types[at++] ?? '' })))
}

/** An old row has all columns, a new one lacks values that did not change and are stored elsewhere. */
const WAL2JSON = `
  WITH told AS MATERIALIZED (
    SELECT n, line FROM pg_logical_slot_peek_changes($1, NULL, NULL, VARIADIC $2::text[]) WITH ORDINALITY AS p(lsn, xid, data, n),
      LATERAL (SELECT data::json AS line) AS parsed),
  placed AS MATERIALIZED (
    SELECT n, line, line->>'action' AS action, count(*) FILTER (WHERE line->>'action' = 'B') OVER (ORDER BY n) AS place FROM told),
  ends AS (
    SELECT place, (line->>'nextlsn')::pg_lsn AS lsn FROM placed WHERE action = 'B' AND (line->>'nextlsn')::pg_lsn > $3::pg_lsn),
  looks AS (
    SELECT wanted.relation, looked.look, min(place) AS first, max(place) AS last
    FROM placed JOIN ends USING (place)
      JOIN json_to_recordset($4::json) AS wanted(schema text, name text, relation text)
        ON wanted.schema = line->>'schema' AND wanted.name = line->>'table',
      LATERAL (
        SELECT json_agg(json_build_object('name', c.told->>'name', 'type', c.told->>'type') ORDER BY c.at)::text AS look
        FROM json_array_elements(coalesce(line->'identity', line->'columns')) WITH ORDINALITY AS c(told, at)) AS looked
    WHERE action IN ('I', 'U', 'D')
    GROUP BY wanted.relation, looked.look)
  SELECT 'rows' AS kind, l.relation, l.look, l.first::text, l.last::text, e.lsn::text AS first_end
  FROM looks l JOIN ends e ON e.place = l.first
  UNION ALL
  SELECT 'version', NULL, NULL, place::text, NULL, NULL FROM placed
  WHERE action = 'I' AND line->>'schema' = 'tidemark' AND line->>'table' = 'sync_definition' AND line->'columns'->0->>'value' = $5`

async function readWal2json(query: Query, { slotName, tables, above, version }: RowsToFind): Promise<Found[]> {
  const own = { schema: 'tidemark', name: 'sync_definition' }
  const names = [...tables, own].map(({ schema, name }) => `${wal2jsonName(schema)}.${wal2jsonName(name)}`)
  const options = ['format-version', '2', 'include-lsn', '1', 'include-types', '1', 'include-typmod', '1']
  const params = [textArray([...options, 'add-tables', names.join()]), formatPgLsn(above), JSON.stringify(tables)]
  return await query(WAL2JSON, [slotName, ...params, String(version)])
}

async function looksOfWal2json(told: readonly Found[]): Promise<Look[]> {
  return told.map(({ look }): Look => JSON.parse(look ?? '[]'))
}
