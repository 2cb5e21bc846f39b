CREATE TABLE "tidemark"."stuck_mutation" (
	"client_id" text PRIMARY KEY NOT NULL,
	"counter" bigint NOT NULL,
	"tries" integer NOT NULL,
	"sql_state" text,
	"since" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
-- Counts a try that decided nothing, and says how many there were and for how long. With `weight` 0 it only has what comes up to
-- there tried one by one.
CREATE FUNCTION tidemark.count_try(of_client text, number bigint, state text, weight int) RETURNS json LANGUAGE sql AS $$
  INSERT INTO tidemark.stuck_mutation AS known (client_id, counter, tries, sql_state) VALUES (of_client, number, weight, state)
  ON CONFLICT (client_id) DO UPDATE SET counter = number, sql_state = state,
    tries = CASE WHEN known.counter = number THEN known.tries + weight ELSE weight END,
    since = CASE WHEN known.counter = number THEN known.since ELSE now() END
  RETURNING json_build_object('tries', tries, 'ms', floor(extract(epoch FROM now() - since) * 1000))
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION tidemark.count_try FROM PUBLIC;
--> statement-breakpoint
-- As before, and says which mutation was tried and not decided.
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
-- As before, and says where a patch took too long.
CREATE OR REPLACE PROCEDURE tidemark.settle_patches(of_client text, of_user text, audiences text, claims text, patches text[],
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
        patch->>'predicted', audiences, claims, patch->>'steps', patch->>'reading', patch->>'keys', patch->>'tell');
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
