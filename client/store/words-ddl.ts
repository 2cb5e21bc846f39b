import { PINNED_SETTINGS, quoteIdentifier, quoteLiteral } from '../../protocol/index.ts'

// Words of the replica's own schema that statements share with the code in it, which a page loads only to make that.

/** Holds for a row of `tidemark.mutation` that is neither confirmed nor failed, and not squashed into another. */
export const IS_UNSETTLED = `status IN ('pending', 'sent') AND squashed_into IS NULL`

/** The settings under which values become text, for the head of a function. */
export const PINNED_FUNCTION = Object.entries(PINNED_SETTINGS)
  .map(([name, value]) => `SET ${quoteIdentifier(name)} = ${quoteLiteral(value)}`)
  .join(' ')

/**
 * Server rows are applied with triggers and foreign keys off, which the server has enforced already, and under the input
 * settings their text was written with, whatever the app has set.
 */
export const OF_SERVER_ROWS: Readonly<Record<string, string>> = {
  session_replication_role: 'replica',
  search_path: 'pg_catalog',
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
}

/**
 * The version in which work on a copy is said, and by its id each table that is behind with the version since which it is as it
 * is shown: that keeps earlier names and types until it joins.
 */
export const SAID = `CASE WHEN hash NOT LIKE '%-behind-%' THEN json_build_object('epoch', epoch, 'version', version)
  ELSE json_build_object('epoch', epoch, 'version', version, 'behind', (
    SELECT coalesce(json_object_agg(t ->> 'id', coalesce((t ->> 'since')::int, 0)), '{}')
    FROM json_array_elements(definition::json -> 'tables') AS t
    WHERE t ->> 'id' IN (SELECT json_array_elements_text(definition::json -> 'behind')))) END`
/** Holds for a copy on which work is done; what is still loaded keeps earlier names. */
export const IS_SAID = `place = 'live' AND stage = 'joined'`

/** Reads the version of the shown copy as the journal's records have it. */
export const SHOWN_VERSION = `SELECT ${SAID}::text AS said FROM tidemark.copy WHERE ${IS_SAID}`

/** The name of a prepared query that is examined, and of the function that it becomes for that. */
export const EXAMINED_QUERY = 'examined_query'

/** SQLSTATE where no leased key is left for a new row. */
export const NO_KEY_LEFT = 'TMK01'
