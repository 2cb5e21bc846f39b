-- The user for whom the session runs, for policies; NULL where it runs for nobody.
CREATE OR REPLACE FUNCTION tidemark.user_id() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
  SELECT nullif(current_setting('tidemark.user_id', true), '')
$$;
