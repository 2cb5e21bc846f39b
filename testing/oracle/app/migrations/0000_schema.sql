-- Settings that would change every value's text, were they not pinned by whoever reads.
DO $$
BEGIN
  EXECUTE format('ALTER DATABASE %I SET TimeZone = ''Asia/Kathmandu''', current_database());
  EXECUTE format('ALTER DATABASE %I SET DateStyle = ''German, DMY''', current_database());
  EXECUTE format('ALTER DATABASE %I SET IntervalStyle = ''iso_8601''', current_database());
  EXECUTE format('ALTER DATABASE %I SET bytea_output = ''escape''', current_database());
  EXECUTE format('ALTER DATABASE %I SET extra_float_digits = ''-3''', current_database());
END
$$;

CREATE TYPE public.mood AS ENUM ('calm', 'busy', 'it''s "odd", really');
CREATE DOMAIN public.short_code AS varchar(12) CHECK (VALUE <> 'forbidden');

CREATE TABLE public.org (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  settings jsonb
);

-- Audience in the key on both sides, so the foreign keys travel; a unique value that transactions swap.
CREATE TABLE public.project (
  org_id uuid NOT NULL REFERENCES public.org ON DELETE CASCADE,
  id int4 NOT NULL,
  name varchar(40) NOT NULL DEFAULT 'unnamed',
  slug text,
  parent int4,
  PRIMARY KEY (org_id, id),
  UNIQUE (org_id, slug) DEFERRABLE INITIALLY IMMEDIATE,
  FOREIGN KEY (org_id, parent) REFERENCES public.project ON DELETE CASCADE ON UPDATE CASCADE
);

-- Every common type; rows move between audiences and to none; one column never leaves the server.
CREATE TABLE public.item (
  id uuid PRIMARY KEY,
  org_id uuid REFERENCES public.org ON DELETE CASCADE,
  project_id int4,
  title text NOT NULL DEFAULT '',
  secret text,
  body text,
  tiny int2,
  small int4,
  big int8,
  code public.short_code,
  fixed char(5),
  label varchar(20),
  flag boolean,
  day date,
  clock time,
  zoned_clock timetz,
  moment timestamp,
  instant timestamptz,
  span interval,
  doc jsonb,
  raw_doc json,
  bytes bytea,
  numbers int4[],
  words text[],
  state public.mood,
  states public.mood[],
  bounds int4range,
  period tstzrange,
  address inet,
  network cidr,
  bits varbit,
  place point,
  search tsvector,
  size_of_title int4 GENERATED ALWAYS AS (length(title)) STORED,
  FOREIGN KEY (org_id, project_id) REFERENCES public.project ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX item_by_project ON public.item (org_id, project_id);

-- Per user; its parent may be unseen, so the foreign key is the server's alone.
CREATE TABLE public.note (
  id int8 PRIMARY KEY,
  user_id text,
  item_id uuid REFERENCES public.item ON DELETE SET NULL,
  body text NOT NULL,
  at timestamptz
);

-- Seen by whoever sees the item, over one step and over two; hushed ones by nobody, with their faces.
CREATE TABLE public.remark (
  id int8 PRIMARY KEY,
  item_id uuid REFERENCES public.item ON DELETE CASCADE ON UPDATE CASCADE,
  body text,
  hushed boolean
);
CREATE INDEX remark_by_item ON public.remark (item_id);
CREATE TABLE public.face (
  id int4 PRIMARY KEY,
  remark_id int8 REFERENCES public.remark ON DELETE SET NULL,
  kind text
);
CREATE INDEX face_by_remark ON public.face (remark_id);

-- For everyone.
CREATE TABLE public.setting (
  key text PRIMARY KEY,
  value jsonb,
  version int8 NOT NULL DEFAULT 0
);

CREATE SCHEMA "Mixed Case";
CREATE TABLE "Mixed Case"."Order" (
  "select" text NOT NULL,
  "Größe ""x""" int4 NOT NULL,
  "org.id" uuid,
  "table" text,
  PRIMARY KEY ("Größe ""x""", "select")
);

CREATE TABLE public.unsynced_log (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, line text);

-- Not synced where the decoder cannot tell NaN from NULL.
CREATE TABLE public.measure (
  id int4 PRIMARY KEY,
  org_id uuid,
  plain numeric,
  money_like numeric(12, 2),
  narrow float4,
  wide float8,
  series float8[]
);

-- Who is a member of what: watched, and seen by nobody.
CREATE TABLE public.membership (user_id text NOT NULL, org_id uuid NOT NULL, PRIMARY KEY (user_id, org_id));
GRANT SELECT ON public.membership TO tidemark_client;
