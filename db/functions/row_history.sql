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
