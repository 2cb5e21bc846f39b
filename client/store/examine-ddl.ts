import { LIVE_TRIGGER } from './live-ddl.ts'
import { EXAMINED_QUERY } from './words-ddl.ts'

/** The first number of what is not Postgres' own. */
const FIRST_OWN_OID = 16_384
/** Built-in functions that are stable only for the settings of the session, or the types, by which they write and read text. */
const STABLE_BY_SETTINGS =
  '^(jsonb?_agg.*|jsonb?_object_agg.*|jsonb?_build_(array|object)|to_jsonb?|row_to_json|array_to_json|array_to_string|jsonb?_(to|populate)_record(set)?|concat|concat_ws|format|textanycat|anytextcat|quote_literal|quote_nullable|to_char|to_date|to_timestamp|date|time|timetz|timestamp|.*timestamptz.*|date_(part|trunc|add|subtract)|extract|timezone|generate_series|numeric|length|enum_(first|last|range)|pg_typeof)$'

/**
 * The tables that a query reads are those that its tree names, and that the trees of its views name. A table's rows may lie
 * in those below it, and be written by way of those above.
 */
const FACTS = `
  WITH RECURSIVE tree (content) AS (
    SELECT prosqlbody::text FROM pg_proc WHERE oid = to_regproc('tidemark.${EXAMINED_QUERY}')
    UNION
    SELECT r.ev_action::text FROM tree
    CROSS JOIN LATERAL (SELECT DISTINCT m[1]::oid AS oid FROM regexp_matches(tree.content, ' :relid (\\d+)', 'g') AS m) AS named
    JOIN pg_class c ON c.oid = named.oid AND c.relkind = 'v' JOIN pg_rewrite r ON r.ev_class = c.oid
  ), named AS (
    SELECT DISTINCT c.oid, c.relkind FROM tree CROSS JOIN LATERAL regexp_matches(tree.content, ' :relid (\\d+)', 'g') AS m
    JOIN pg_class c ON c.oid = m[1]::oid
  ), below (oid) AS (
    SELECT oid FROM named WHERE relkind <> 'v' UNION SELECT i.inhrelid FROM below b JOIN pg_inherits i ON i.inhparent = b.oid
  ), around (oid) AS (
    SELECT oid FROM below UNION SELECT i.inhparent FROM around a JOIN pg_inherits i ON i.inhrelid = a.oid
  ), relation AS (
    SELECT c.oid, c.relkind, format('%I.%I', n.nspname, c.relname) AS name,
      (SELECT count(*) > 0 FROM pg_trigger g WHERE g.tgrelid = c.oid AND g.tgname = '${LIVE_TRIGGER}' AND g.tgenabled = 'A') AS watched,
      (SELECT json_agg(CASE WHEN NOT attisdropped THEN attname END ORDER BY attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND attnum > 0) AS columns
    FROM around JOIN pg_class c ON c.oid = around.oid JOIN pg_namespace n ON n.oid = c.relnamespace
  ), called AS (
    SELECT DISTINCT m[1]::oid AS oid FROM tree
    CROSS JOIN LATERAL regexp_matches(tree.content, ' :(?:funcid|opfuncid|aggfnoid|winfnoid) (\\d+)', 'g') AS m
  )
  SELECT
    (SELECT prosqlbody::text FROM pg_proc WHERE oid = to_regproc('tidemark.${EXAMINED_QUERY}')) AS tree,
    (SELECT coalesce(json_agg(json_build_object('oid', oid::int8, 'name', name, 'watched', watched, 'columns', columns)), '[]')
      FROM relation WHERE relkind IN ('r', 'p') AND oid >= ${FIRST_OWN_OID})::text AS tables,
    EXISTS (SELECT FROM relation WHERE relkind NOT IN ('r', 'p', 'm') OR oid < ${FIRST_OWN_OID})
      OR EXISTS (SELECT FROM called JOIN pg_proc p ON p.oid = called.oid WHERE p.oid >= ${FIRST_OWN_OID} OR (p.provolatile <> 'i'
        AND NOT (p.provolatile = 's' AND p.proname ~ '${STABLE_BY_SETTINGS}' AND NOT EXISTS (SELECT FROM pg_cast WHERE castfunc >= ${FIRST_OWN_OID}))))
      OR EXISTS (SELECT FROM tree WHERE content ~ '\\{(SQLVALUEFUNCTION|TABLESAMPLECLAUSE|NEXTVALUEEXPR) ')
      OR EXISTS (SELECT FROM tree CROSS JOIN LATERAL regexp_matches(tree.content, ' :(?:opno|eqop|sortop) (\\d+)', 'g') AS m
        WHERE m[1]::oid >= ${FIRST_OWN_OID}) AS more,
    EXISTS (SELECT FROM tree WHERE content ~ ' :hasModifyingCTE true' OR content !~ '^\\(+\\{QUERY :commandType 1 ') AS writes`

/**
 * Makes the function that examines a query which is prepared by the name above: its tables, and whether it reads more than
 * tables. Postgres plans it once in a session, which takes longer than the rest.
 *
 * The query becomes the body of a function, which may have parameters and columns of one name, and which is undone again.
 */
export const EXAMINE_CODE = `
  CREATE OR REPLACE FUNCTION tidemark.examine_query(query text, OUT types text, OUT tree text, OUT tables text, OUT more boolean, OUT writes boolean)
  LANGUAGE plpgsql AS $$
  DECLARE parameters text[] := (SELECT p.parameter_types::text[] FROM pg_prepared_statements p WHERE p.name = '${EXAMINED_QUERY}');
  BEGIN
    types := array_to_json(parameters)::text;
    DEALLOCATE ${EXAMINED_QUERY};
    BEGIN
      PERFORM set_config('session_replication_role', 'replica', true), set_config('tidemark.live', 'on', true);
      EXECUTE format(E'CREATE FUNCTION tidemark.${EXAMINED_QUERY}(%s) RETURNS void LANGUAGE sql BEGIN ATOMIC %s\\n; END',
        array_to_string(parameters, ', '), query);
      SELECT f.tree, f.tables, f.more, f.writes INTO tree, tables, more, writes FROM (${FACTS}) AS f;
      RAISE EXCEPTION USING ERRCODE = 'TMLIV';
    EXCEPTION WHEN SQLSTATE 'TMLIV' THEN
    END;
  END $$;
`
