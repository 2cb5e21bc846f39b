-- All of a patch in one call, where each statement of `steps` touches as many rows as it expects; else nothing is done (TM001),
-- and it is done again step by step. A step is {text, rows, seen, count}. `leased` are the keys that it gives to new rows, as
-- `unleased_keys` takes them; NULL where there are none.
CREATE OR REPLACE FUNCTION tidemark.settle_patch(of_client text, number bigint, of_user text, with_digest text, prediction text,
  in_version bigint, audiences text, claims text, steps text, reading text, keys text, to_tell text, leased text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  -- Asked before what follows runs as the client role, which may not ask it.
  unleased CONSTANT json := CASE WHEN leased IS NOT NULL THEN tidemark.unleased_keys(of_client, leased::json) END;
  begun json := tidemark.begin_mutation(of_client, number, of_user, with_digest, prediction, '{}', in_version,
    audiences, claims);
  step json;
  touched bigint;
BEGIN
  IF begun->'known' IS NOT NULL THEN
    RETURN begun;
  END IF;
  IF unleased IS NOT NULL THEN
    RAISE EXCEPTION 'not as expected' USING ERRCODE = 'TM001';
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
