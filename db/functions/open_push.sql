-- Binds a client to its first user, settles what it acknowledges, and says when it was made, which definition is in force and
-- which of its mutations was tried and not decided.
CREATE OR REPLACE FUNCTION tidemark.open_push(of_client text, of_user text, acknowledged bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  owner text;
  made timestamptz;
BEGIN
  INSERT INTO tidemark.client (id, user_id) SELECT of_client, of_user
    WHERE NOT EXISTS (SELECT FROM tidemark.client WHERE id = of_client) ON CONFLICT DO NOTHING;
  SELECT user_id, created_at INTO owner, made FROM tidemark.client WHERE id = of_client;
  IF owner IS DISTINCT FROM of_user THEN
    RETURN NULL;
  END IF;
  -- Seldom, because it is a commit by itself, which has capture read just before what is pushed is there to be read.
  -- Before the outcomes go: whoever still does one of these mutations holds this row.
  UPDATE tidemark.client SET mutation_floor = acknowledged WHERE id = of_client AND mutation_floor <= acknowledged - 100;
  IF FOUND THEN
    DELETE FROM tidemark.mutation WHERE client_id = of_client AND counter <= acknowledged;
  END IF;
  DELETE FROM tidemark.stuck_mutation WHERE client_id = of_client AND counter <= acknowledged;
  RETURN json_build_object('madeMs', floor(extract(epoch FROM made) * 1000),
    'definition', (SELECT json_build_object('version', version, 'hash', hash)
      FROM tidemark.sync_definition ORDER BY version DESC LIMIT 1),
    'stuck', (SELECT counter FROM tidemark.stuck_mutation WHERE client_id = of_client));
END
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION tidemark.open_push FROM PUBLIC;
