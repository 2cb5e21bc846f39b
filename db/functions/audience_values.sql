-- Of what the session may see, the values behind `prefix`: of `org:7` with prefix `org` it is `7`.
CREATE OR REPLACE FUNCTION tidemark.audience_values(prefix text) RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
  SELECT coalesce(array_agg(substr(audience, length(prefix) + 2)), '{}')
  FROM unnest(tidemark.audiences()) AS audience
  WHERE starts_with(audience, prefix || ':')
$$;
