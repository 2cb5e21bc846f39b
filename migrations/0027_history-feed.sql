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
--> statement-breakpoint
-- What happened in an audience of the session, newest first, in all of them where none is named. A row that is another audience's by
-- now is left out with all that it was: of such a change only its place is answered, so that the page can go on below it. Columns are
-- told as `tidemark.row_history` tells them, and it runs as its owner for the same reason.
CREATE OR REPLACE FUNCTION tidemark.activity(of_epoch text, of_audience text, below pg_lsn, below_seq integer, most integer)
RETURNS TABLE (lsn pg_lsn, seq integer, audience text, table_name text, row_key jsonb, operation text, data jsonb, old_data jsonb,
  committed_at timestamptz, user_id text, mutation_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH seen AS MATERIALIZED (
    SELECT DISTINCT a AS audience FROM unnest((SELECT tidemark.audiences())) AS a WHERE of_audience IS NULL OR a = of_audience
  ), page AS MATERIALIZED (
    SELECT h.* FROM seen CROSS JOIN LATERAL (
      SELECT h.* FROM tidemark.change_history h
      WHERE h.epoch = of_epoch AND h.audience = seen.audience AND h.operation IN ('insert', 'update', 'delete')
        AND (h.lsn, h.seq) < (coalesce(below, 'FFFFFFFF/FFFFFFFF'), coalesce(below_seq, 2147483647))
      ORDER BY h.lsn DESC, h.seq DESC LIMIT least(most, 500)) AS h
    ORDER BY h.lsn DESC, h.seq DESC LIMIT least(most, 500)
  ), shown AS MATERIALIZED (
    SELECT * FROM tidemark.told_columns(ARRAY(SELECT DISTINCT page.table_name FROM page))
  ), latest AS MATERIALIZED (
    -- The newest change of each row says whose it is; one that was deleted is still of the audience that saw it.
    SELECT DISTINCT ON (p.table_name, p.row_key) p.table_name, p.row_key, n.audience
    FROM page AS p CROSS JOIN LATERAL (
      SELECT h.audience FROM tidemark.change_history h
      WHERE h.epoch IS NOT DISTINCT FROM of_epoch AND h.table_name = p.table_name
        AND jsonb_hash_extended(h.row_key, 0) = jsonb_hash_extended(p.row_key, 0) AND h.row_key = p.row_key
        AND h.operation IN ('insert', 'update', 'delete')
      ORDER BY h.lsn DESC, h.seq DESC LIMIT 1) AS n
  ), told AS (
    SELECT p.*, l.audience = ANY ((SELECT tidemark.audiences())::text[])
      AND EXISTS (SELECT FROM shown WHERE shown.table_id = p.table_name) AS is_told
    FROM page AS p JOIN latest AS l ON l.table_name = p.table_name AND l.row_key = p.row_key
  )
  SELECT t.lsn, t.seq, CASE WHEN t.is_told THEN t.audience END, CASE WHEN t.is_told THEN t.table_name END,
    CASE WHEN t.is_told THEN t.row_key END, CASE WHEN t.is_told THEN t.operation END,
    (SELECT jsonb_object_agg(v.key, v.value) FROM jsonb_each(t.data) AS v
      JOIN shown ON shown.table_id = t.table_name AND shown.name = v.key AND t.schema_version > shown.after WHERE t.is_told),
    (SELECT jsonb_object_agg(v.key, v.value) FROM jsonb_each(t.old_data) AS v
      JOIN shown ON shown.table_id = t.table_name AND shown.name = v.key AND t.schema_version > shown.after WHERE t.is_told),
    CASE WHEN t.is_told THEN t.committed_at END, CASE WHEN t.is_told THEN c.user_id END,
    CASE WHEN t.is_told AND c.user_id = tidemark.user_id() THEN t.mutation_id END
  FROM told AS t LEFT JOIN tidemark.client AS c ON c.id = t.client_id
  ORDER BY t.lsn DESC, t.seq DESC
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION tidemark.activity FROM PUBLIC;
--> statement-breakpoint
-- Asked as the client role, whose session says who reads.
GRANT EXECUTE ON FUNCTION tidemark.activity TO tidemark_client;
--> statement-breakpoint
-- All that a mutation of the session's own user changed, in its order, as far as that user may see it now; where it changed something
-- else besides, one more row comes first, without anything in it. Columns are told as `tidemark.row_history` tells them, and it runs
-- as its owner for the same reason; `is_told` is false where columns were left out.
CREATE OR REPLACE FUNCTION tidemark.mutation_history(of_epoch text, of_client text, of_mutation text, most integer)
RETURNS TABLE (lsn pg_lsn, seq integer, table_name text, row_key jsonb, operation text, data jsonb, old_data jsonb,
  committed_at timestamptz, schema_version bigint, is_told boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH changes AS MATERIALIZED (
    SELECT h.*, coalesce(h.audience = ANY ((SELECT tidemark.audiences())::text[]), false) AS is_seen
    FROM tidemark.change_history h
    WHERE h.client_id = of_client AND h.mutation_id = of_mutation AND h.epoch = of_epoch
      AND h.operation IN ('insert', 'update', 'delete', 'truncate')
      AND EXISTS (SELECT FROM tidemark.client c WHERE c.id = of_client AND c.user_id = tidemark.user_id())
    ORDER BY h.lsn, h.seq LIMIT least(most, 10000)
  ), shown AS MATERIALIZED (
    SELECT * FROM tidemark.told_columns(ARRAY(SELECT DISTINCT changes.table_name FROM changes))
  )
  (SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL WHERE EXISTS (SELECT FROM changes WHERE NOT is_seen))
  UNION ALL
  (SELECT c.lsn, c.seq, c.table_name, c.row_key, c.operation,
    (SELECT jsonb_object_agg(v.key, v.value) FROM jsonb_each(c.data) AS v
      JOIN shown ON shown.table_id = c.table_name AND shown.name = v.key AND c.schema_version > shown.after),
    (SELECT jsonb_object_agg(v.key, v.value) FROM jsonb_each(c.old_data) AS v
      JOIN shown ON shown.table_id = c.table_name AND shown.name = v.key AND c.schema_version > shown.after),
    c.committed_at, c.schema_version,
    NOT EXISTS (SELECT FROM jsonb_object_keys(coalesce(c.data, c.old_data)) AS k (name)
      WHERE NOT EXISTS (SELECT FROM shown WHERE shown.table_id = c.table_name AND shown.name = k.name AND c.schema_version > shown.after))
  FROM changes AS c WHERE c.is_seen ORDER BY c.lsn, c.seq)
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION tidemark.mutation_history FROM PUBLIC;
--> statement-breakpoint
-- Asked as the client role, whose session says who reads.
GRANT EXECUTE ON FUNCTION tidemark.mutation_history TO tidemark_client;
--> statement-breakpoint
-- What the reader may see of the changes of one row, newest first: those of an audience of the session, and of each the columns that
-- every definition from then on let travel under that name. `below` and `below_seq` continue a page; both null begin at the newest.
-- It runs as its owner because old values are granted to nobody: what it hands out is decided here, by `tidemark.audiences()`.
CREATE OR REPLACE FUNCTION tidemark.row_history(of_epoch text, of_table text, of_key jsonb, below pg_lsn, below_seq integer, most integer)
RETURNS TABLE (lsn pg_lsn, seq integer, operation text, data jsonb, old_data jsonb, committed_at timestamptz, user_id text, mutation_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH shown AS MATERIALIZED (
    SELECT name, after FROM tidemark.told_columns(ARRAY[of_table])
  ), page AS (
    -- Each part is read from its end, by an index, and no further than the page. The epoch is compared as no index can: by the one
    -- of places, which the planner may take for a row of many changes, all that was changed since would be gone through.
    (SELECT h.lsn, h.seq, h.operation, h.data, h.old_data, h.committed_at, h.client_id, h.mutation_id, h.schema_version
    FROM tidemark.change_history h
    WHERE h.epoch IS NOT DISTINCT FROM of_epoch AND h.table_name = of_table
      AND jsonb_hash_extended(h.row_key, 0) = jsonb_hash_extended(of_key, 0) AND h.row_key = of_key
      AND h.operation IN ('insert', 'update', 'delete') AND h.audience = ANY ((SELECT tidemark.audiences())::text[])
      AND (h.lsn, h.seq) < (coalesce(below, 'FFFFFFFF/FFFFFFFF'), coalesce(below_seq, 2147483647))
    ORDER BY h.lsn DESC, h.seq DESC LIMIT least(most, 500))
    UNION ALL
    (SELECT h.lsn, h.seq, h.operation, NULL, NULL, h.committed_at, h.client_id, h.mutation_id, h.schema_version
    FROM tidemark.change_history h
    WHERE h.epoch = of_epoch AND h.audience IS NULL AND h.operation = 'truncate' AND h.table_name = of_table
      AND (h.lsn, h.seq) < (coalesce(below, 'FFFFFFFF/FFFFFFFF'), coalesce(below_seq, 2147483647))
    ORDER BY h.lsn DESC, h.seq DESC LIMIT least(most, 500))
    ORDER BY 1 DESC, 2 DESC LIMIT least(most, 500)
  )
  SELECT p.lsn, p.seq, p.operation,
    (SELECT jsonb_object_agg(v.key, v.value) FROM jsonb_each(p.data) AS v JOIN shown ON shown.name = v.key AND p.schema_version > shown.after),
    (SELECT jsonb_object_agg(v.key, v.value) FROM jsonb_each(p.old_data) AS v JOIN shown ON shown.name = v.key AND p.schema_version > shown.after),
    p.committed_at, c.user_id, CASE WHEN c.user_id = tidemark.user_id() THEN p.mutation_id END
  FROM page AS p LEFT JOIN tidemark.client AS c ON c.id = p.client_id
  ORDER BY p.lsn DESC, p.seq DESC
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION tidemark.row_history FROM PUBLIC;
--> statement-breakpoint
-- Asked as the client role, whose session says who reads.
GRANT EXECUTE ON FUNCTION tidemark.row_history TO tidemark_client;
