-- Records a rejection in a transaction of its own, and says what is stored: another push may have been first. Where a migration
-- has put another definition in force than the mutation was judged by, nothing is decided (TM002).
CREATE OR REPLACE FUNCTION tidemark.reject_mutation(of_client text, number bigint, of_user text, with_digest text, reason text, basis text,
  in_version bigint)
  RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  known json;
BEGIN
  known := tidemark.known_mutation(of_client, number);
  IF known IS NULL THEN
    PERFORM tidemark.require_version(in_version);
    INSERT INTO tidemark.mutation (client_id, counter, user_id, digest, status, rejection, effects, version)
      VALUES (of_client, number, of_user, with_digest, 'rejected', reason::jsonb, basis::jsonb, in_version) ON CONFLICT DO NOTHING;
    known := tidemark.known_mutation(of_client, number);
  END IF;
  RETURN known;
END
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION tidemark.reject_mutation FROM PUBLIC;
