-- Counts a try that decided nothing, and says how many there were and for how long. With `weight` 0 it only has what comes up to
-- there tried one by one.
CREATE OR REPLACE FUNCTION tidemark.count_try(of_client text, number bigint, state text, weight int) RETURNS json LANGUAGE sql AS $$
  INSERT INTO tidemark.stuck_mutation AS known (client_id, counter, tries, sql_state) VALUES (of_client, number, weight, state)
  ON CONFLICT (client_id) DO UPDATE SET counter = number, sql_state = state,
    tries = CASE WHEN known.counter = number THEN known.tries + weight ELSE weight END,
    since = CASE WHEN known.counter = number THEN known.since ELSE now() END
  RETURNING json_build_object('tries', tries, 'ms', floor(extract(epoch FROM now() - since) * 1000))
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION tidemark.count_try FROM PUBLIC;
