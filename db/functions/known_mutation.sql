-- What became of a mutation, where that is known: it is settled, or its outcome is stored.
CREATE OR REPLACE FUNCTION tidemark.known_mutation(of_client text, number bigint) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  settled_to bigint;
BEGIN
  -- Held to the end of the transaction, so that nothing is pruned and then done once more.
  SELECT mutation_floor INTO STRICT settled_to FROM tidemark.client WHERE id = of_client FOR SHARE;
  IF number <= settled_to THEN
    RETURN json_build_object('settled', true);
  END IF;
  RETURN (SELECT json_build_object('digest', digest, 'status', status, 'rejection', rejection)
    FROM tidemark.mutation WHERE client_id = of_client AND counter = number);
END
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION tidemark.known_mutation FROM PUBLIC;
