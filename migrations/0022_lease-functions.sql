DROP ROUTINE tidemark.settle_patch(text,bigint,text,text,text,bigint,text,text,text,text,text,text);
--> statement-breakpoint
-- Draws keys of sequences for a client, each by nextval, so that nobody else is given it, and answers them by sequence. `wanted` is a
-- JSON object of numbers by sequence, which the caller takes from the definition in force. Of what is left of a sequence no client
-- gets more than a part, and no user more than so many a day. NULL: the client is another user's.
CREATE OR REPLACE FUNCTION tidemark.lease_keys(of_client text, of_user text, wanted json, most_a_day int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  item record;
  most numeric;
  drawn bigint[];
  leased jsonb := '{}';
BEGIN
  INSERT INTO tidemark.client (id, user_id) SELECT of_client, of_user
    WHERE NOT EXISTS (SELECT FROM tidemark.client WHERE id = of_client) ON CONFLICT DO NOTHING;
  IF (SELECT user_id FROM tidemark.client WHERE id = of_client) IS DISTINCT FROM of_user THEN
    RETURN NULL;
  END IF;
  FOR item IN SELECT one.key AS name, one.value::int AS number FROM json_each_text(wanted) AS one ORDER BY one.key LOOP
    SELECT least(item.number,
      most_a_day - coalesce((SELECT sum(l.drawn) FROM tidemark.key_lease l
        WHERE l.user_id = of_user AND l.sequence = item.name AND l.drawn_on = (now() AT TIME ZONE 'UTC')::date), 0),
      greatest(1, floor(CASE WHEN s.seqincrement > 0
        THEN s.seqmax::numeric - coalesce(pg_sequence_last_value(s.seqrelid), s.seqstart)
        ELSE coalesce(pg_sequence_last_value(s.seqrelid), s.seqstart)::numeric - s.seqmin END / abs(s.seqincrement::numeric) / 64)))
      INTO most FROM pg_sequence s WHERE s.seqrelid = item.name::regclass;
    drawn := '{}';
    BEGIN
      FOR _ IN 1..most LOOP
        drawn := drawn || nextval(item.name::regclass);
      END LOOP;
    EXCEPTION WHEN sequence_generator_limit_exceeded THEN
      NULL;
    END;
    leased := jsonb_set(leased, ARRAY[item.name], (SELECT coalesce(jsonb_agg(key::text), '[]') FROM unnest(drawn) AS key));
    CONTINUE WHEN drawn = '{}';
    INSERT INTO tidemark.key_lease AS held (client_id, sequence, user_id, keys, drawn_on, drawn)
      VALUES (of_client, item.name, of_user, (SELECT range_agg(int8range(key, key, '[]')) FROM unnest(drawn) AS key),
        (now() AT TIME ZONE 'UTC')::date, cardinality(drawn))
    ON CONFLICT (client_id, sequence) DO UPDATE SET keys = held.keys + excluded.keys, drawn_on = excluded.drawn_on,
      drawn = excluded.drawn + CASE WHEN held.drawn_on = excluded.drawn_on THEN held.drawn ELSE 0 END;
  END LOOP;
  RETURN leased;
END
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION tidemark.lease_keys FROM PUBLIC;
--> statement-breakpoint
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
--> statement-breakpoint
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
--> statement-breakpoint
-- Answers which keys that a mutation gives to new rows, a JSON object of arrays by sequence, its client never leased, as pairs;
-- NULL where it leased all.
CREATE OR REPLACE FUNCTION tidemark.unleased_keys(of_client text, given json) RETURNS json LANGUAGE sql STABLE AS $$
  SELECT json_agg(json_build_array(of_sequence.key, one.key))
  FROM json_each(given) AS of_sequence, json_array_elements_text(of_sequence.value) AS one(key)
  WHERE NOT EXISTS (SELECT FROM tidemark.key_lease l
    WHERE l.client_id = of_client AND l.sequence = of_sequence.key AND l.keys @> one.key::bigint)
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION tidemark.unleased_keys FROM PUBLIC;
