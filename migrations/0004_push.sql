-- What a push does around the writes themselves, in as few round trips as can be. All of it runs as the role that connects.

-- Binds a client to its first user, settles what it acknowledges, and says when it was made and which definition is in force.
CREATE FUNCTION tidemark.open_push(of_client text, of_user text, acknowledged bigint) RETURNS text LANGUAGE plpgsql AS $$
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
  -- Before the outcomes go: whoever still does one of these mutations holds this row.
  UPDATE tidemark.client SET mutation_floor = acknowledged WHERE id = of_client AND mutation_floor < acknowledged;
  IF FOUND THEN
    DELETE FROM tidemark.mutation WHERE client_id = of_client AND counter <= acknowledged;
  END IF;
  RETURN json_build_object('madeMs', floor(extract(epoch FROM made) * 1000),
    'definition', (SELECT json_build_object('version', version, 'hash', hash)
      FROM tidemark.sync_definition ORDER BY version DESC LIMIT 1));
END
$$;
--> statement-breakpoint
-- What became of a mutation, where that is known: it is settled, or its outcome is stored.
CREATE FUNCTION tidemark.known_mutation(of_client text, number bigint) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  settled_to bigint;
BEGIN
  -- Held to the end of the transaction, so that nothing is pruned and then done once more.
  SELECT mutation_floor INTO STRICT settled_to FROM tidemark.client WHERE id = of_client FOR SHARE;
  IF number <= settled_to THEN
    RETURN json_build_object('settled', true);
  END IF;
  RETURN (SELECT json_build_object('digest', digest, 'status', status, 'rejection', rejection)
    FROM tidemark.mutation WHERE client_id = of_client AND counter = number);
END
$$;
--> statement-breakpoint
-- First in the transaction of a mutation: claims its number, then becomes the client role for its author. `earlier` names
-- mutations on which it builds. Triggers, policies and actions of the app find its tables in schema public.
CREATE FUNCTION tidemark.begin_mutation(of_client text, number bigint, of_user text, with_digest text, prediction text,
  earlier bigint[], audiences text, claims text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  known json := tidemark.known_mutation(of_client, number);
  settled_to bigint;
BEGIN
  IF known IS NULL THEN
    INSERT INTO tidemark.mutation (client_id, counter, user_id, digest, status, predicted)
      VALUES (of_client, number, of_user, with_digest, 'committed', prediction::jsonb) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
      known := tidemark.known_mutation(of_client, number);
    END IF;
  END IF;
  IF known IS NOT NULL THEN
    RETURN json_build_object('known', known);
  END IF;
  known := (SELECT json_agg(json_build_object('counter', counter, 'status', status, 'predicted', predicted, 'effects', effects))
    FROM tidemark.mutation WHERE client_id = of_client AND counter = ANY (earlier));
  settled_to := (SELECT mutation_floor FROM tidemark.client WHERE id = of_client);
  PERFORM set_config('tidemark.user_id', of_user, true), set_config('tidemark.audiences', audiences, true),
    set_config('request.jwt.claims', claims, true), set_config('search_path', 'public', true),
    set_config('role', 'tidemark_client', true);
  RETURN json_build_object('earlier', coalesce(known, '[]'), 'settledTo', settled_to,
    'nowMs', floor(extract(epoch FROM clock_timestamp()) * 1000));
END
$$;
--> statement-breakpoint
-- Last in it: has what was deferred checked as the client role, then keeps and answers what `reading` finds in the rows of `keys`.
CREATE FUNCTION tidemark.finish_mutation(of_client text, number bigint, reading text, keys text, to_tell text)
  RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  left_there jsonb;
BEGIN
  SET CONSTRAINTS ALL IMMEDIATE;
  SET LOCAL ROLE NONE;
  PERFORM set_config('search_path', 'pg_catalog', true);
  IF reading IS NOT NULL THEN
    EXECUTE reading INTO left_there USING keys::jsonb;
  END IF;
  IF left_there IS NOT NULL THEN
    UPDATE tidemark.mutation SET effects = left_there WHERE client_id = of_client AND counter = number;
  END IF;
  IF to_tell IS NOT NULL THEN
    INSERT INTO tidemark.committed_call (client_id, counter, mutation) VALUES (of_client, number, to_tell::jsonb);
  END IF;
  RETURN left_there;
END
$$;
--> statement-breakpoint
-- All of a patch in one call, where each statement of `steps` touches as many rows as it expects; else nothing is done (TM001),
-- and it is done again step by step. A step is {text, rows, seen, count}.
CREATE FUNCTION tidemark.settle_patch(of_client text, number bigint, of_user text, with_digest text, prediction text,
  audiences text, claims text, steps text, reading text, keys text, to_tell text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  begun json := tidemark.begin_mutation(of_client, number, of_user, with_digest, prediction, '{}', audiences, claims);
  step json;
  touched bigint;
BEGIN
  IF begun->'known' IS NOT NULL THEN
    RETURN begun;
  END IF;
  FOR step IN SELECT json_array_elements(steps::json) LOOP
    EXECUTE step->>'text' USING step->>'rows', ARRAY(SELECT json_array_elements_text(step->'seen'));
    GET DIAGNOSTICS touched = ROW_COUNT;
    IF touched <> (step->>'count')::bigint THEN
      RAISE EXCEPTION 'not as expected' USING ERRCODE = 'TM001';
    END IF;
  END LOOP;
  RETURN json_build_object('effects', tidemark.finish_mutation(of_client, number, reading, keys, to_tell)::json);
END
$$;
--> statement-breakpoint
-- Records a rejection in a transaction of its own, and says what is stored: another push may have been first.
CREATE FUNCTION tidemark.reject_mutation(of_client text, number bigint, of_user text, with_digest text, reason text, basis text)
  RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  known json;
BEGIN
  known := tidemark.known_mutation(of_client, number);
  IF known IS NULL THEN
    INSERT INTO tidemark.mutation (client_id, counter, user_id, digest, status, rejection, effects)
      VALUES (of_client, number, of_user, with_digest, 'rejected', reason::jsonb, basis::jsonb) ON CONFLICT DO NOTHING;
    known := tidemark.known_mutation(of_client, number);
  END IF;
  RETURN known;
END
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION tidemark.open_push, tidemark.known_mutation, tidemark.begin_mutation, tidemark.settle_patch,
  tidemark.reject_mutation FROM PUBLIC;
--> statement-breakpoint
-- It is called as the client role, which it leaves; nobody who connects as another could become that role's caller by it.
REVOKE EXECUTE ON FUNCTION tidemark.finish_mutation FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION tidemark.finish_mutation TO tidemark_client;
