-- Last in the transaction of a mutation: has what was deferred checked as the client role, then keeps and answers what `reading`
-- finds in the rows of `keys`. Where a migration was committed since the push was opened, nothing is done (TM002): what a statement
-- named may be another column by now. One that commits later still waits for the tables that were written.
CREATE OR REPLACE FUNCTION tidemark.finish_mutation(of_client text, number bigint, reading text, keys text, to_tell text)
  RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  left_there jsonb;
BEGIN
  SET CONSTRAINTS ALL IMMEDIATE;
  SET LOCAL ROLE NONE;
  PERFORM set_config('search_path', 'pg_catalog', true);
  PERFORM tidemark.require_version((SELECT version FROM tidemark.mutation WHERE client_id = of_client AND counter = number));
  IF reading IS NOT NULL THEN
    EXECUTE reading INTO left_there USING keys::jsonb;
  END IF;
  IF left_there IS NOT NULL THEN
    UPDATE tidemark.mutation SET effects = left_there WHERE client_id = of_client AND counter = number;
  END IF;
  IF to_tell IS NOT NULL THEN
    INSERT INTO tidemark.committed_call (client_id, counter, mutation) VALUES (of_client, number, to_tell::jsonb);
  END IF;
  RETURN left_there;
END
$$;
--> statement-breakpoint
-- It is called as the client role, which it leaves; nobody who connects as another could become that role's caller by it.
REVOKE EXECUTE ON FUNCTION tidemark.finish_mutation FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION tidemark.finish_mutation TO tidemark_client;
