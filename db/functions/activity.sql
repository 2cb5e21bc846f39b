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
