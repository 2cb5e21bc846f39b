CREATE TABLE film (
  id uuid PRIMARY KEY,
  org_id text NOT NULL,
  title text NOT NULL,
  slug text NOT NULL,
  words tsvector NOT NULL,
  state text NOT NULL DEFAULT 'open',
  number integer GENERATED ALWAYS AS IDENTITY
);
CREATE FUNCTION film_slug() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF new.slug IS NULL THEN new.slug := replace(lower(new.title), ' ', '-'); END IF;
  IF new.state IS NULL THEN new.state := 'unknown'; END IF;
  RETURN new;
END $$;
CREATE TRIGGER slug BEFORE INSERT OR UPDATE ON film FOR EACH ROW EXECUTE FUNCTION film_slug();
CREATE TRIGGER words BEFORE INSERT OR UPDATE ON film FOR EACH ROW
  EXECUTE FUNCTION tsvector_update_trigger(words, 'pg_catalog.simple', title);
CREATE FUNCTION short_code() RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT substr(md5(random()::text), 1, 12) $$;
CREATE DOMAIN code AS text DEFAULT 'n/a';
CREATE DOMAIN strict_code AS text NOT NULL DEFAULT 'none' CHECK (value <> '');
CREATE DOMAIN made_code AS text NOT NULL DEFAULT public.short_code();
CREATE TABLE part (
  id uuid PRIMARY KEY,
  org_id text NOT NULL,
  code code,
  strict strict_code,
  made made_code,
  title text
);
ALTER TABLE film ENABLE ROW LEVEL SECURITY;
ALTER TABLE part ENABLE ROW LEVEL SECURITY;
CREATE POLICY film_of_org ON film TO tidemark_client USING (org_id = ANY ((SELECT tidemark.audience_values('org'))::text[]));
CREATE POLICY part_of_org ON part TO tidemark_client USING (org_id = ANY ((SELECT tidemark.audience_values('org'))::text[]));
CREATE TEXT SEARCH CONFIGURATION plain (COPY = pg_catalog.simple);
CREATE TABLE page (
  id uuid PRIMARY KEY,
  org_id text NOT NULL,
  body text,
  long text,
  words tsvector GENERATED ALWAYS AS (to_tsvector('public.plain', coalesce(body, ''))) STORED,
  low text NOT NULL GENERATED ALWAYS AS (lower(coalesce(body, '')) || '!') STORED,
  size integer GENERATED ALWAYS AS (length(body)) STORED
);
ALTER TABLE page ENABLE ROW LEVEL SECURITY;
CREATE POLICY page_of_org ON page TO tidemark_client USING (org_id = ANY ((SELECT tidemark.audience_values('org'))::text[]));
CREATE TABLE clip (id uuid PRIMARY KEY, org_id text NOT NULL, film_id uuid NOT NULL, note text);
CREATE FUNCTION clip_org() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  SELECT org_id INTO new.org_id FROM public.film WHERE id = new.film_id;
  RETURN new;
END $$;
CREATE TRIGGER org BEFORE INSERT ON clip FOR EACH ROW EXECUTE FUNCTION clip_org();
ALTER TABLE clip ENABLE ROW LEVEL SECURITY;
CREATE POLICY clip_of_anyone ON clip TO tidemark_client USING (true);
CREATE TYPE mood AS ENUM ('ok', 'so so');
CREATE TABLE sample (
  id integer PRIMARY KEY,
  org_id text NOT NULL,
  big int8,
  bytes bytea,
  stamp timestamptz,
  day date,
  span interval,
  mood mood,
  range int4range,
  nested text[],
  doc jsonb,
  raw json,
  flag bool,
  word text,
  code char(6),
  bits bit varying(9),
  id8 uuid,
  net inet,
  clock time,
  longs numeric[],
  doubles float8[]
);
ALTER TABLE sample ENABLE ROW LEVEL SECURITY;
CREATE POLICY sample_of_org ON sample TO tidemark_client USING (org_id = ANY ((SELECT tidemark.audience_values('org'))::text[]));
