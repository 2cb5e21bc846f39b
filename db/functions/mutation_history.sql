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
