-- What a reader of JSON sees of it, whatever its spaces and the order of its keys; the text itself where jsonb cannot take it, or
-- would lose a key that stands in it twice.
CREATE OR REPLACE FUNCTION tidemark.json_seen(given json) RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog AS $$
DECLARE
  not_colons CONSTANT text := '"(\\.|[^"\\])*"|[^:]';
  seen text;
BEGIN
  seen := given::jsonb::text;
  RETURN CASE WHEN regexp_replace(seen, not_colons, '', 'g') = regexp_replace(given::text, not_colons, '', 'g') THEN seen
    ELSE given::text END;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
  RETURN given::text;
END
$$;
--> statement-breakpoint
CREATE OR REPLACE FUNCTION tidemark.json_seen(given json[]) RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
  SELECT array_dims(given) || array_agg(tidemark.json_seen(element) ORDER BY position)::text
  FROM unnest(given) WITH ORDINALITY AS one(element, position)
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION tidemark.json_seen(json), tidemark.json_seen(json[]) FROM PUBLIC;
--> statement-breakpoint
-- The statements of patches compare by it.
GRANT EXECUTE ON FUNCTION tidemark.json_seen(json), tidemark.json_seen(json[]) TO tidemark_client;
