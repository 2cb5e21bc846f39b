DROP ROUTINE tidemark.begin_mutation(text,bigint,text,text,text,bigint[],text,text);
--> statement-breakpoint
DROP ROUTINE tidemark.reject_mutation(text,bigint,text,text,text,text);
--> statement-breakpoint
DROP ROUTINE tidemark.settle_patch(text,bigint,text,text,text,text,text,text,text,text,text);
--> statement-breakpoint
DROP ROUTINE tidemark.settle_patches(text,text,text,text,text[],integer,text);
--> statement-breakpoint
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
--> statement-breakpoint
-- Last in the transaction of a mutation: has what was deferred checked as the client role, then keeps and answers what `reading`
-- finds in the rows of `keys`. Where a migration was committed since the push was opened, nothing is done (TM002): what a statement
-- named may be another column by now. One that commits later still waits for the tables that were written.
CREATE OR REPLACE FUNCTION tidemark.finish_mutation(of_client text, number bigint, reading text, keys text, to_tell text)
  RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  left_there jsonb;
BEGIN
  SET CONSTRAINTS ALL IMMEDIATE;
  SET LOCAL ROLE NONE;
  PERFORM set_config('search_path', 'pg_catalog', true);
  PERFORM tidemark.require_version((SELECT version FROM tidemark.mutation WHERE client_id = of_client AND counter = number));
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
-- It is called as the client role, which it leaves; nobody who connects as another could become that role's caller by it.
REVOKE EXECUTE ON FUNCTION tidemark.finish_mutation FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION tidemark.finish_mutation TO tidemark_client;
--> statement-breakpoint
-- Records a rejection in a transaction of its own, and says what is stored: another push may have been first. Where a migration
-- has put another definition in force than the mutation was judged by, nothing is decided (TM002).
CREATE OR REPLACE FUNCTION tidemark.reject_mutation(of_client text, number bigint, of_user text, with_digest text, reason text, basis text,
  in_version bigint)
  RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  known json;
BEGIN
  known := tidemark.known_mutation(of_client, number);
  IF known IS NULL THEN
    PERFORM tidemark.require_version(in_version);
    INSERT INTO tidemark.mutation (client_id, counter, user_id, digest, status, rejection, effects, version)
      VALUES (of_client, number, of_user, with_digest, 'rejected', reason::jsonb, basis::jsonb, in_version) ON CONFLICT DO NOTHING;
    known := tidemark.known_mutation(of_client, number);
  END IF;
  RETURN known;
END
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION tidemark.reject_mutation FROM PUBLIC;
--> statement-breakpoint
-- Fails (TM002) unless this version of the sync definition is the latest.
CREATE OR REPLACE FUNCTION tidemark.require_version(expected bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF expected <> (SELECT max(version) FROM tidemark.sync_definition) THEN
    RAISE EXCEPTION 'another definition is in force' USING ERRCODE = 'TM002';
  END IF;
END
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION tidemark.require_version FROM PUBLIC;
--> statement-breakpoint
-- All of a patch in one call, where each statement of `steps` touches as many rows as it expects; else nothing is done (TM001),
-- and it is done again step by step. A step is {text, rows, seen, count}.
CREATE OR REPLACE FUNCTION tidemark.settle_patch(of_client text, number bigint, of_user text, with_digest text, prediction text,
  in_version bigint, audiences text, claims text, steps text, reading text, keys text, to_tell text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  begun json := tidemark.begin_mutation(of_client, number, of_user, with_digest, prediction, '{}', in_version,
    audiences, claims);
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
REVOKE EXECUTE ON FUNCTION tidemark.settle_patch FROM PUBLIC;
--> statement-breakpoint
-- Patches in their order, each in a transaction of its own, until one cannot be done as it is, or turns out to have been
-- rejected, or time is up. `settled` is a JSON array of what `settle_patch` answered of those decided, and of where one took too
-- long. A patch is {counter, digest, predicted, steps, reading, keys, tell}.
CREATE OR REPLACE PROCEDURE tidemark.settle_patches(of_client text, of_user text, in_version bigint, audiences text, claims text, patches text[],
  at_most_ms int, INOUT settled text) LANGUAGE plpgsql AS $$
DECLARE
  begun CONSTANT timestamptz := clock_timestamp();
  answers text[] := '{}';
  answer text;
  item text;
  patch json;
  patch_begun timestamptz;
BEGIN
  FOREACH item IN ARRAY patches LOOP
    EXIT WHEN clock_timestamp() > begun + at_most_ms * interval '1 millisecond';
    patch := item::json;
    patch_begun := clock_timestamp();
    BEGIN
      answer := tidemark.settle_patch(of_client, (patch->>'counter')::bigint, of_user, patch->>'digest',
        patch->>'predicted', in_version, audiences, claims, patch->>'steps', patch->>'reading', patch->>'keys', patch->>'tell');
    EXCEPTION WHEN query_canceled OR OTHERS THEN
      -- Nothing of it is done: it is done again step by step, which tells why, unless it would only take as long again.
      IF SQLSTATE = '57014' AND clock_timestamp() > patch_begun + interval '1 second' THEN
        answers := answers || json_build_object('stopped', SQLSTATE)::text;
      END IF;
      EXIT;
    END;
    COMMIT;
    answers := answers || answer;
    -- What builds on it falls with it.
    EXIT WHEN answer::json #>> '{known,status}' = 'rejected';
  END LOOP;
  settled := '[' || array_to_string(answers, ',') || ']';
END
$$;
--> statement-breakpoint
REVOKE EXECUTE ON PROCEDURE tidemark.settle_patches FROM PUBLIC;
