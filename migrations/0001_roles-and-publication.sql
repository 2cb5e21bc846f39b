-- At most one epoch is current.
CREATE UNIQUE INDEX epoch_current ON tidemark.epoch ((true)) WHERE ended_at IS NULL;
--> statement-breakpoint
-- Whatever a client causes runs as this role: no login, no ownership, subject to row-level security.
DO $$
BEGIN
  CREATE ROLE tidemark_client NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL;
END
$$;
--> statement-breakpoint
DO $$
BEGIN
  IF NOT pg_has_role(current_user, 'tidemark_client', 'MEMBER') THEN
    GRANT tidemark_client TO CURRENT_USER;
  END IF;
END
$$;
--> statement-breakpoint
GRANT USAGE ON SCHEMA tidemark TO tidemark_client;
--> statement-breakpoint
-- What the session may see, for policies: `using (org_id = any ((select tidemark.audience_values('org'))::uuid[]))`.
CREATE FUNCTION tidemark.audiences() RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
  SELECT coalesce(array_agg(value), '{}')
  FROM jsonb_array_elements_text(coalesce(nullif(current_setting('tidemark.audiences', true), ''), '[]')::jsonb) AS value
$$;
--> statement-breakpoint
CREATE FUNCTION tidemark.audience_values(prefix text) RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
  SELECT coalesce(array_agg(substr(audience, length(prefix) + 2)), '{}')
  FROM unnest(tidemark.audiences()) AS audience
  WHERE starts_with(audience, prefix || ':')
$$;
--> statement-breakpoint
CREATE FUNCTION tidemark.user_id() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
  SELECT nullif(current_setting('tidemark.user_id', true), '')
$$;
--> statement-breakpoint
ALTER TABLE tidemark.change_history ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
-- A second lock behind the filters: old values and metadata are not granted at all.
GRANT SELECT (epoch, lsn, seq, xid, table_name, operation, row_key, data, audience, schema_version, committed_at, client_id, mutation_id)
  ON tidemark.change_history TO tidemark_client;
--> statement-breakpoint
CREATE POLICY client_reads_its_audiences ON tidemark.change_history FOR SELECT TO tidemark_client
  USING (
    audience = ANY ((SELECT tidemark.audiences())::text[])
    OR (audience IS NULL AND operation IN ('truncate', 'definition'))
  );
--> statement-breakpoint
ALTER TABLE tidemark.client ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
GRANT SELECT, INSERT ON tidemark.client TO tidemark_client;
--> statement-breakpoint
CREATE POLICY client_knows_its_own ON tidemark.client FOR ALL TO tidemark_client
  USING (user_id = tidemark.user_id()) WITH CHECK (user_id = tidemark.user_id());
--> statement-breakpoint
-- Made before any slot: a publication missing at a decoded position fails the call for good.
CREATE PUBLICATION tidemark FOR TABLE tidemark.sync_definition WITH (publish_via_partition_root = true);
