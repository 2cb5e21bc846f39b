-- Of what a row holds, that which is not as `given` has it; NULL where all is. Its own function, because what reads rows back is
-- planned for each mutation, and most often nothing differs.
CREATE OR REPLACE FUNCTION tidemark.differing(held jsonb, given jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (SELECT jsonb_object_agg(name, value) FROM jsonb_each_text(held) AS one(name, value)
    WHERE (given->>name) IS DISTINCT FROM value OR NOT given ? name);
END
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION tidemark.differing FROM PUBLIC;
