-- First in the transaction of a mutation: claims its number, then becomes the client role for its author. `earlier` names
-- mutations on which it builds; definitions since the oldest of them come with what they left, because names may have changed.
-- It is said in the names of `in_version`. Triggers, policies and actions of the app find its names by the search path that database and role
-- are set to.
CREATE OR REPLACE FUNCTION tidemark.begin_mutation(of_client text, number bigint, of_user text, with_digest text, prediction text,
  earlier bigint[], in_version bigint, audiences text, claims text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  known json := tidemark.known_mutation(of_client, number);
  since json;
  settled_to bigint;
BEGIN
  IF known IS NULL THEN
    INSERT INTO tidemark.mutation (client_id, counter, user_id, digest, status, predicted, version)
      VALUES (of_client, number, of_user, with_digest, 'committed', prediction::jsonb, in_version) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
      known := tidemark.known_mutation(of_client, number);
    END IF;
  END IF;
  IF known IS NOT NULL THEN
    RETURN json_build_object('known', known);
  END IF;
  known := (SELECT json_agg(json_build_object('counter', counter, 'status', status, 'predicted', predicted, 'effects', effects,
      'version', coalesce(version, in_version)))
    FROM tidemark.mutation WHERE client_id = of_client AND counter = ANY (earlier));
  since := (SELECT json_agg(json_build_object('version', version::text, 'hash', hash, 'definition', definition::text) ORDER BY version)
    FROM tidemark.sync_definition WHERE version <= in_version
      AND version > (SELECT min(version) FROM tidemark.mutation WHERE client_id = of_client AND counter = ANY (earlier)));
  settled_to := (SELECT mutation_floor FROM tidemark.client WHERE id = of_client);
  PERFORM set_config('tidemark.user_id', of_user, true), set_config('tidemark.audiences', audiences, true),
    set_config('request.jwt.claims', claims, true), set_config('role', 'tidemark_client', true);
  SET LOCAL search_path TO DEFAULT;
  RETURN json_build_object('earlier', coalesce(known, '[]'), 'since', coalesce(since, '[]'), 'settledTo', settled_to,
    'nowMs', floor(extract(epoch FROM clock_timestamp()) * 1000));
END
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION tidemark.begin_mutation FROM PUBLIC;
