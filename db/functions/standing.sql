-- As whom, in which transaction and under which settings a statement runs: two answers are alike unless something has left them.
-- What an action may change is not in it: `search_path`, and settings of the app's own.
CREATE OR REPLACE FUNCTION tidemark.standing() RETURNS text LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  SELECT encode(sha256(convert_to(json_build_array(session_user, current_user, pg_current_xact_id_if_assigned()::text,
    (SELECT json_agg(current_setting(name, true)) FROM unnest('{role,session_authorization,tidemark.user_id,tidemark.audiences,
      request.jwt.claims,statement_timeout,lock_timeout,idle_in_transaction_session_timeout,transaction_timeout,
      transaction_isolation,transaction_read_only,row_security,session_replication_role,TimeZone,DateStyle,IntervalStyle,
      bytea_output,extra_float_digits,lc_monetary,xmloption}'::text[]) AS one(name)))::text, 'UTF8')), 'hex')
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION tidemark.standing FROM PUBLIC;
--> statement-breakpoint
-- Asked as the client role, after each statement of an action.
GRANT EXECUTE ON FUNCTION tidemark.standing TO tidemark_client;
