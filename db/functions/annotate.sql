-- Says who or what is behind a transaction: it stands in the metadata of each of its changes in history, and is told to no client.
CREATE OR REPLACE FUNCTION tidemark.annotate(metadata jsonb) RETURNS void LANGUAGE sql VOLATILE SET search_path = pg_catalog AS $$
  SELECT pg_logical_emit_message(true, 'tidemark.annotate', metadata::text)
$$;
