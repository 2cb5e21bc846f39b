-- What the corpus writes to. Types and names that have broken decoders; identity as Tidemark asks for, and as others have it.
CREATE TYPE weather AS ENUM ('sun', 'it''s raining', 'fog "thick"');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TYPE pair AS (left_part int, right_part text);

CREATE TABLE typed (
  id int PRIMARY KEY,
  small int2, big int8, flag boolean, single "char", name_of name,
  fixed char(4), short varchar(6), long text,
  day date, clock time(3), zoned timetz(0), moment timestamp(2), instant timestamptz(4), span interval, hours interval hour to minute,
  bytes bytea, bits bit(5), more_bits varbit(12), ident uuid,
  doc json, bin jsonb, path_of jsonpath,
  address inet, network cidr, mac macaddr, mac8 macaddr8,
  spot point, way path, area polygon, ring circle, box_of box, segment lseg,
  mood weather, moods weather[], positive positive, composed pair,
  ints int[], texts text[], deep text[][], stamps timestamptz[],
  span4 int4range, span8 int8range, days daterange, many int4multirange,
  words tsvector, question tsquery, place pg_lsn, seen oid, cost money
);
CREATE TABLE numbers (id int PRIMARY KEY, plain numeric, scaled numeric(12, 4), negative_scale numeric(5, -2), double float8, single float4, list numeric[]);
CREATE TABLE parent (a int, b text, note text, PRIMARY KEY (b, a));
CREATE TABLE child (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int, b text, word text DEFAULT 'none',
  doubled text GENERATED ALWAYS AS (word || word) STORED,
  FOREIGN KEY (b, a) REFERENCES parent ON UPDATE CASCADE ON DELETE CASCADE);
CREATE TABLE stored (id int PRIMARY KEY, out_of_line text, compressed text, plain text, hidden text);
ALTER TABLE stored ALTER out_of_line SET STORAGE EXTERNAL;
CREATE SCHEMA "Odd, schema.name";
CREATE TABLE "Odd, schema.name"."Tä\ble ""x"" *" ("Key, 1" int PRIMARY KEY, "select" text, "__proto__" text, "a.b\c" text,
  "a_name_of_sixty_three_bytes_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" text);

CREATE TABLE no_key (word text);
CREATE TABLE default_identity (id int PRIMARY KEY, word text);
CREATE TABLE index_identity (id int NOT NULL, word text);
CREATE UNIQUE INDEX index_identity_id ON index_identity (id);
ALTER TABLE index_identity REPLICA IDENTITY USING INDEX index_identity_id;
CREATE TABLE heirs () INHERITS (default_identity);
CREATE UNLOGGED TABLE unlogged (id int);
CREATE TABLE split (id int, word text) PARTITION BY LIST (id);
CREATE TABLE split_one PARTITION OF split FOR VALUES IN (1);

CREATE FUNCTION copy_word() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO no_key VALUES (NEW.note);
  NEW.note := coalesce(NEW.note, 'by trigger');
  RETURN NEW;
END $$;
CREATE TRIGGER copied BEFORE INSERT OR UPDATE ON parent FOR EACH ROW EXECUTE FUNCTION copy_word()
