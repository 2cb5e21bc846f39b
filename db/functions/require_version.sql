-- Fails (TM002) unless this version of the sync definition is the latest.
CREATE OR REPLACE FUNCTION tidemark.require_version(expected bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF expected <> (SELECT max(version) FROM tidemark.sync_definition) THEN
    RAISE EXCEPTION 'another definition is in force' USING ERRCODE = 'TM002';
  END IF;
END
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION tidemark.require_version FROM PUBLIC;
