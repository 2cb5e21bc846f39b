-- Draws keys of sequences for a client, each by nextval, so that nobody else is given it, and answers them by sequence. `wanted` is a
-- JSON object of numbers by sequence, which the caller takes from the definition in force. Of what is left of a sequence nobody gets
-- more than a part at once, and no user more than a part of the whole, and so many, a day. NULL: the client is another user's.
CREATE OR REPLACE FUNCTION tidemark.lease_keys(of_client text, of_user text, wanted json, most_a_day int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  item record;
  most numeric;
  drawn bigint[];
  leased jsonb := '{}';
BEGIN
  -- Many requests of one user at once would each find that none of the others was given any.
  PERFORM pg_advisory_xact_lock(hashtextextended('tidemark.lease_keys ' || of_user, 0));
  INSERT INTO tidemark.client (id, user_id) SELECT of_client, of_user
    WHERE NOT EXISTS (SELECT FROM tidemark.client WHERE id = of_client) ON CONFLICT DO NOTHING;
  IF (SELECT user_id FROM tidemark.client WHERE id = of_client) IS DISTINCT FROM of_user THEN
    RETURN NULL;
  END IF;
  FOR item IN SELECT one.key AS name, one.value::int AS number FROM json_each_text(wanted) AS one ORDER BY one.key LOOP
    SELECT least(item.number,
      least(most_a_day, greatest(1, floor((s.seqmax::numeric - s.seqmin) / abs(s.seqincrement::numeric) / 16)))
        - coalesce((SELECT sum(l.drawn) FROM tidemark.key_lease l
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
