-- What the session may see, for policies: `using (org_id = any ((select tidemark.audience_values('org'))::uuid[]))`.
CREATE OR REPLACE FUNCTION tidemark.audiences() RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
  SELECT coalesce(array_agg(value), '{}')
  FROM jsonb_array_elements_text(coalesce(nullif(current_setting('tidemark.audiences', true), ''), '[]')::jsonb) AS value
$$;
