-- Draws a key of a sequence for an action, which runs as the client role and may not use sequences; only of those that replicas lease of.
CREATE OR REPLACE FUNCTION tidemark.draw_key(of_sequence text) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM tidemark.key_lease WHERE sequence = of_sequence) THEN
    RAISE EXCEPTION 'no replica leased keys of %', of_sequence USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN nextval(of_sequence::regclass);
END
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION tidemark.draw_key FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION tidemark.draw_key TO tidemark_client;
