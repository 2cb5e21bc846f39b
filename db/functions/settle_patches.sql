-- Patches in their order, each in a transaction of its own, until one cannot be done as it is, or turns out to have been
-- rejected, or time is up. `settled` is a JSON array of what `settle_patch` answered of those decided, and of where one took too
-- long. A patch is {counter, digest, predicted, steps, reading, keys, tell, leased}.
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
        patch->>'predicted', in_version, audiences, claims, patch->>'steps', patch->>'reading', patch->>'keys', patch->>'tell',
        patch->>'leased');
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
