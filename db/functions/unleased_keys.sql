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
