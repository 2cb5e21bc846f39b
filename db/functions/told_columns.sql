-- Each column of these tables that travels now, and the last version in which none travelled under that name: what history has of it is
-- told from the versions after that on. It is for our own functions, which say to whom.
CREATE OR REPLACE FUNCTION tidemark.told_columns(of_tables text[])
RETURNS TABLE (table_id text, name text, after bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  WITH told AS MATERIALIZED (
    SELECT d.version, wanted.id, t -> 'columns' AS columns
    FROM unnest(of_tables) AS wanted (id) CROSS JOIN tidemark.sync_definition d
    LEFT JOIN LATERAL (SELECT t FROM jsonb_array_elements(d.definition -> 'tables') AS t WHERE t ->> 'id' = wanted.id) AS named ON true
  ), latest AS (
    SELECT DISTINCT ON (id) id, columns FROM told ORDER BY id, version DESC
  )
  SELECT latest.id, c ->> 'name', (
    SELECT coalesce(max(told.version), 0) FROM told
    WHERE told.id = latest.id
      AND NOT coalesce(jsonb_path_exists(told.columns, '$[*] ? (@.name == $name)', jsonb_build_object('name', c -> 'name')), false))
  FROM latest CROSS JOIN jsonb_array_elements(CASE jsonb_typeof(latest.columns) WHEN 'array' THEN latest.columns END) AS c
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION tidemark.told_columns FROM PUBLIC;
