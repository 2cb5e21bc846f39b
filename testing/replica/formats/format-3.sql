-- A replica as the first released format stored it: one mutation failed, one sent, two pending, and a table of the app's own.
SET session_replication_role = replica;
CREATE SCHEMA tidemark;
  CREATE TABLE tidemark.owner (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    format int NOT NULL, user_id text NOT NULL, client_id text NOT NULL, counter bigint NOT NULL DEFAULT 0
  );
  CREATE TABLE tidemark.copy (
    place text PRIMARY KEY, stage text NOT NULL, epoch text NOT NULL, cursor text NOT NULL, rows bigint NOT NULL,
    version int NOT NULL, hash text NOT NULL, definition text NOT NULL
  );
  CREATE VIEW tidemark.replica AS SELECT epoch, cursor, stage, rows FROM tidemark.copy WHERE place = 'live';
  CREATE TABLE tidemark.audience (
    place text NOT NULL, audience text NOT NULL, load_order int NOT NULL,
    start text NOT NULL, fence text NOT NULL, snapshot text NOT NULL, manifest text,
    PRIMARY KEY (place, audience)
  );
  CREATE TABLE tidemark.loaded_chunk (
    audience text NOT NULL, table_id text NOT NULL, position int NOT NULL,
    PRIMARY KEY (audience, table_id, position)
  );
  CREATE TABLE tidemark.part (
    position int NOT NULL, piece int NOT NULL, whole boolean NOT NULL, content text NOT NULL,
    PRIMARY KEY (position, piece)
  );
  ALTER TABLE tidemark.part ALTER content SET STORAGE EXTERNAL;
  
  CREATE TABLE tidemark.mutation (
    counter bigint PRIMARY KEY, kind text NOT NULL, origin text NOT NULL DEFAULT 'app', name text, args text,
    at text NOT NULL, status text NOT NULL, effective boolean NOT NULL DEFAULT true, sealed boolean NOT NULL DEFAULT false,
    squashed_into bigint, patch text, request text, predicted text, outcome text, rejection text, lsn text, aside_lsn text
  );
  CREATE INDEX mutation_unsettled ON tidemark.mutation (counter) WHERE status IN ('pending', 'sent') AND squashed_into IS NULL;
  CREATE INDEX mutation_new ON tidemark.mutation (counter) WHERE kind = 'patch' AND patch IS NULL;
  CREATE TABLE tidemark.write (
    position bigserial PRIMARY KEY, counter bigint NOT NULL, table_id text NOT NULL, op text NOT NULL, key text NOT NULL,
    before text, after text, cascade boolean NOT NULL DEFAULT false
  );
  CREATE INDEX write_of_mutation ON tidemark.write (counter);
  CREATE INDEX write_of_row ON tidemark.write (table_id, key);
  CREATE VIEW tidemark.mutation_status AS
    SELECT o.client_id || ':' || m.counter AS id, coalesce(t.status, m.status) AS status, m.kind, m.name AS action, m.at,
      coalesce(t.effective, m.effective) AS effective, coalesce(t.rejection, m.rejection) AS rejection,
      coalesce(t.lsn, m.lsn) AS lsn
    FROM tidemark.owner o CROSS JOIN tidemark.mutation m LEFT JOIN tidemark.mutation t ON t.counter = m.squashed_into;

  CREATE FUNCTION tidemark.begin_mutation(made_kind text, made_name text, made_args text) RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog AS $$
  DECLARE made bigint; oldest bigint;
  BEGIN
    UPDATE tidemark.owner SET counter = counter + 1 RETURNING counter INTO made;
    SELECT min(counter) INTO oldest FROM tidemark.mutation WHERE status IN ('pending', 'sent') AND squashed_into IS NULL;
    IF made - oldest >= 20000 AND
      (SELECT count(*) FROM tidemark.mutation WHERE status IN ('pending', 'sent') AND squashed_into IS NULL) >= 20000 THEN
      RAISE EXCEPTION 'the outbox is full: 20000 mutations wait for the server'
        USING ERRCODE = 'configuration_limit_exceeded', HINT = 'Go online and wait until some are confirmed.';
    END IF;
    INSERT INTO tidemark.mutation (counter, kind, name, args, at, status) VALUES (made, made_kind, made_name, made_args,
      to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'pending');
    PERFORM set_config('tidemark.mutation', made::text, true), set_config('tidemark.size', '', true),
      pg_notify('tidemark_outbox', made::text);
    RETURN made;
  END $$;

  CREATE FUNCTION tidemark.begin_action(its_name text, its_args text, OUT made bigint, OUT made_at text)
  LANGUAGE plpgsql SET search_path = pg_catalog AS $$
  BEGIN
    made := tidemark.begin_mutation('action', its_name, its_args);
    SELECT at INTO made_at FROM tidemark.mutation WHERE counter = made;
  END $$;

  CREATE FUNCTION tidemark.keep_write(
    its_table text, its_op text, its_key text, its_before text, its_after text, is_counted boolean
  ) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
  DECLARE
    current bigint := nullif(current_setting('tidemark.mutation', true), '')::bigint;
    size text := current_setting('tidemark.size', true);
    rows_so_far bigint := coalesce(nullif(split_part(size, ',', 1), ''), '0')::bigint;
    chars_so_far bigint := coalesce(nullif(split_part(size, ',', 2), ''), '0')::bigint;
  BEGIN
    IF current IS NULL THEN
      current := tidemark.begin_mutation('patch', NULL, NULL);
    END IF;
    IF is_counted THEN
      rows_so_far := rows_so_far + 1;
      IF its_op = 'insert' THEN chars_so_far := chars_so_far + length(its_after); END IF;
      IF rows_so_far > 2000 OR chars_so_far > 524288 THEN
        RAISE EXCEPTION 'one transaction may write 2000 synced rows and 524288 characters'
          USING ERRCODE = 'program_limit_exceeded', HINT = 'Write in several transactions.';
      END IF;
      PERFORM set_config('tidemark.size', rows_so_far || ',' || chars_so_far, true);
    END IF;
    INSERT INTO tidemark.write (counter, table_id, op, key, before, after)
      VALUES (current, its_table, its_op, its_key, its_before, its_after);
  END $$;

  CREATE FUNCTION tidemark.is_held(audience text) RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT EXISTS (SELECT FROM tidemark.audience a WHERE a.place = 'live' AND a.audience = is_held.audience)
  $$;

  -- Arguments: who may write the table through a replica, and whether a cascade may do so all the same.
  CREATE FUNCTION tidemark.admit_write() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
  BEGIN
    IF TG_ARGV[0] = 'none' AND TG_ARGV[1] = 'f' THEN
      RAISE EXCEPTION 'table %.% is synced and read-only here', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'read_only_sql_transaction',
          HINT = 'Write through your own server; the change arrives by sync. Tables that are not synced can be written.';
    ELSIF TG_OP = 'TRUNCATE' THEN
      RAISE EXCEPTION 'table %.% is synced and cannot be truncated here', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'feature_not_supported', HINT = 'DELETE the rows that you mean.';
    ELSIF current_setting('tidemark.redo', true) = 'on' THEN
      RETURN NULL;
    ELSIF NOT EXISTS (SELECT FROM tidemark.copy WHERE place = 'live' AND stage = 'joined') THEN
      RAISE EXCEPTION 'table %.% is synced and not loaded yet', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Await replica.ready before writing.';
    ELSIF TG_ARGV[0] = 'actions' AND TG_ARGV[1] = 'f' AND current_setting('tidemark.action', true) IS DISTINCT FROM 'on' THEN
      RAISE EXCEPTION 'table %.% is synced and written by actions alone', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'read_only_sql_transaction', HINT = 'Call an action of the sync definition.';
    END IF;
    RETURN NULL;
  END $$;

  CREATE FUNCTION tidemark.refuse_row(table_name text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
  BEGIN
    RAISE EXCEPTION 'table % is synced and not to be written here but by a cascade', table_name
      USING ERRCODE = 'read_only_sql_transaction', HINT = 'Write through your own server, or by an action where the table allows it.';
  END $$;

  CREATE FUNCTION tidemark.refuse_foreign(table_name text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
  BEGIN
    RAISE EXCEPTION 'a row of table % would be of an audience that this replica does not hold', table_name
      USING ERRCODE = 'insufficient_privilege', HINT = 'Give its audience column a value that this user may see.';
  END $$;

  -- Ours is done under the replica role, where event triggers rest. A live query listens by a trigger of its own.
  CREATE FUNCTION tidemark.refuse_ddl() RETURNS event_trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
  DECLARE found text;
  BEGIN
    SELECT d.object_identity INTO found FROM pg_event_trigger_ddl_commands() d
    LEFT JOIN pg_index i ON d.classid = 'pg_class'::regclass AND i.indexrelid = d.objid
    LEFT JOIN pg_trigger own ON d.classid = 'pg_trigger'::regclass AND own.oid = d.objid
    LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    LEFT JOIN pg_policy p ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid
    JOIN pg_trigger t ON t.tgname = 'tidemark_admit' AND t.tgrelid =
      coalesce(i.indrelid, own.tgrelid, r.ev_class, p.polrelid, CASE WHEN d.classid = 'pg_class'::regclass THEN d.objid END)
    WHERE d.command_tag <> 'COMMENT' AND (i.indexrelid IS NULL OR i.indisunique)
      AND (own.oid IS NULL OR NOT starts_with(own.tgname, '_notify_trigger_'))
    LIMIT 1;
    IF found IS NOT NULL THEN
      RAISE EXCEPTION '% belongs to a synced table, which only its server changes', found
        USING ERRCODE = 'feature_not_supported', HINT = 'Change it in the server''s database; replicas follow.';
    END IF;
  END $$;
  CREATE FUNCTION tidemark.refuse_drop() RETURNS event_trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
  DECLARE found text;
  BEGIN
    SELECT d.object_identity INTO found FROM pg_event_trigger_dropped_objects() d
    WHERE (d.object_type = 'trigger' AND d.address_names[3] = 'tidemark_admit')
      OR (d.object_type = 'table column' AND EXISTS (
        SELECT FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE t.tgname = 'tidemark_admit' AND n.nspname = d.address_names[1] AND c.relname = d.address_names[2]))
    LIMIT 1;
    IF found IS NOT NULL THEN
      RAISE EXCEPTION '% belongs to a synced table, which only its server drops', found
        USING ERRCODE = 'feature_not_supported', HINT = 'Change it in the server''s database; replicas follow.';
    END IF;
  END $$;
  CREATE EVENT TRIGGER tidemark_refuse_ddl ON ddl_command_end EXECUTE FUNCTION tidemark.refuse_ddl();
  CREATE EVENT TRIGGER tidemark_refuse_drop ON sql_drop EXECUTE FUNCTION tidemark.refuse_drop();

  -- What a push may take, and of mutations after `seen` what is looked at once: one call, because each statement by itself
  -- is planned anew.
  CREATE FUNCTION tidemark.unsent(seen bigint, most int) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog AS $$
  DECLARE newest bigint; fresh json; writes json;
  BEGIN
    SELECT counter INTO newest FROM tidemark.owner;
    IF newest > seen THEN
      SELECT json_agg(json_build_object('counter', counter, 'kind', kind, 'sealed', sealed, 'effective', effective,
        'origin', origin, 'patch', patch) ORDER BY counter) INTO fresh FROM tidemark.mutation WHERE status IN ('pending', 'sent') AND squashed_into IS NULL AND request IS NULL;
      -- Of those sent before only which rows they made or removed counts.
      SELECT json_agg(row_to_json(w) ORDER BY w.position) INTO writes FROM tidemark.write w WHERE EXISTS (
        SELECT FROM tidemark.mutation m WHERE m.counter = w.counter AND status IN ('pending', 'sent') AND squashed_into IS NULL
          AND (m.request IS NULL OR w.op <> 'update'));
    END IF;
    RETURN json_build_object('last', newest, 'fresh', coalesce(fresh, '[]'), 'writes', coalesce(writes, '[]'),
      'waiting', (SELECT coalesce(json_agg(row_to_json(w) ORDER BY w.counter), '[]') FROM (
        SELECT counter, kind, name, args, at, patch, request FROM tidemark.mutation
        WHERE status IN ('pending', 'sent') AND squashed_into IS NULL AND outcome IS NULL ORDER BY counter LIMIT most) AS w));
  END $$;

  -- Keeps what is sent, to be sent the same again, and answers up to where outcomes are never asked for again.
  CREATE FUNCTION tidemark.freeze(requests text) RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog AS $$
  BEGIN
    UPDATE tidemark.mutation m SET status = 'sent', sealed = true, request = x.request, predicted = x.predicted
      FROM json_to_recordset(requests::json) AS x(counter bigint, request text, predicted text) WHERE m.counter = x.counter;
    RETURN least(
      coalesce((SELECT min(counter) FROM tidemark.mutation WHERE status IN ('pending', 'sent') AND squashed_into IS NULL),
        (SELECT counter + 1 FROM tidemark.owner)),
      (SELECT min((basis.value ->> 'm')::bigint) FROM tidemark.mutation,
        json_array_elements(patch::json) AS changed, json_each(changed.value -> 'b') AS basis
        WHERE status IN ('pending', 'sent') AND squashed_into IS NULL AND strpos(patch, '"m":') > 0)
    ) - 1;
  END $$;

  -- Does patches again in their order, each whole or not at all. Answers those that could not be done: by an error of theirs,
  -- or because one that they build on (after) could not be, which is on_counter.
  CREATE FUNCTION tidemark.redo_patches(items text) RETURNS TABLE (
    undone bigint, on_counter bigint, state text, message text, constraint_name text, table_name text
  ) LANGUAGE plpgsql AS $$
  DECLARE item record; step record; affected bigint; missed bigint[] := '{}';
  BEGIN
    FOR item IN SELECT * FROM json_to_recordset(items::json) AS x(counter bigint, after json, steps json) LOOP
      undone := item.counter; state := NULL; message := NULL; constraint_name := NULL; table_name := NULL;
      SELECT min(a.value::bigint) INTO on_counter FROM json_array_elements_text(item.after) a
        WHERE a.value::bigint = ANY (missed);
      IF on_counter IS NULL THEN
        BEGIN
          PERFORM set_config('tidemark.mutation', undone::text, true), set_config('tidemark.size', '', true);
          SET CONSTRAINTS ALL DEFERRED;
          FOR step IN SELECT * FROM json_to_recordset(item.steps) AS s("table" text, text text, parameter text, expected bigint)
          LOOP
            EXECUTE step.text USING step.parameter;
            GET DIAGNOSTICS affected = ROW_COUNT;
            IF affected <> step.expected THEN
              RAISE EXCEPTION 'a row of % is not there', step."table" USING ERRCODE = 'TMR04', TABLE = step."table";
            END IF;
          END LOOP;
          SET CONSTRAINTS ALL IMMEDIATE;
          CONTINUE;
        EXCEPTION WHEN OTHERS THEN
          GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, constraint_name = CONSTRAINT_NAME,
            table_name = TABLE_NAME;
          -- The device's faults and ours are not the mutation's.
          IF state ~ '^(08|53|57|58|XX|F0)' THEN RAISE; END IF;
        END;
      END IF;
      missed := missed || undone;
      RETURN NEXT;
    END LOOP;
  END $$;
DROP SCHEMA IF EXISTS tidemark_aside CASCADE;
CREATE SCHEMA IF NOT EXISTS "public";
CREATE TABLE "public"."folder" ("id" text, "org" text NOT NULL, "name" text);
CREATE TABLE "public"."note" ("id" text, "org" text NOT NULL, "folder" text, "title" text, "slug" text, "count" integer DEFAULT (0) NOT NULL, "seq" bigint);
CREATE OR REPLACE FUNCTION tidemark.capture_0() RETURNS trigger LANGUAGE plpgsql SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, MDY' SET "IntervalStyle" = 'postgres' SET "bytea_output" = 'hex' SET "extra_float_digits" = '1' SET "lc_monetary" = 'C' SET "xmloption" = 'content' SET "search_path" = 'pg_catalog' AS 'DECLARE old_row text; new_row text; old_key text; new_key text;
  BEGIN
    IF TG_OP <> ''INSERT'' THEN old_row := json_object(ARRAY[''id'', ''org'', ''name'']::text[], ARRAY[OLD."id"::text, OLD."org"::text, OLD."name"::text]::text[])::text; old_key := OLD."id"::text; END IF;
    IF TG_OP <> ''DELETE'' THEN new_row := json_object(ARRAY[''id'', ''org'', ''name'']::text[], ARRAY[NEW."id"::text, NEW."org"::text, NEW."name"::text]::text[])::text; new_key := NEW."id"::text; END IF;
    IF old_row = new_row THEN RETURN NULL; END IF;
    
    IF TG_OP <> ''DELETE'' THEN IF coalesce(NOT tidemark.is_held(''org:'' || NEW."org"::text), true) THEN PERFORM tidemark.refuse_foreign(''public.folder''); END IF; END IF;
    IF old_key = new_key THEN
      PERFORM tidemark.keep_write(''public.folder'', ''update'', old_key, old_row, new_row, true);
      RETURN NULL;
    END IF;
    IF TG_OP <> ''INSERT'' THEN PERFORM tidemark.keep_write(''public.folder'', ''delete'', old_key, old_row, NULL, true); END IF;
    IF TG_OP <> ''DELETE'' THEN PERFORM tidemark.keep_write(''public.folder'', ''insert'', new_key, NULL, new_row, true); END IF;
    RETURN NULL;
  END';
CREATE OR REPLACE TRIGGER "A_tidemark_capture" AFTER INSERT OR UPDATE OR DELETE ON "public"."folder"
      FOR EACH ROW EXECUTE FUNCTION tidemark.capture_0();
CREATE OR REPLACE TRIGGER tidemark_admit BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON "public"."folder"
      FOR EACH STATEMENT EXECUTE FUNCTION tidemark.admit_write('all', 'f');
CREATE OR REPLACE FUNCTION tidemark.capture_1() RETURNS trigger LANGUAGE plpgsql SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, MDY' SET "IntervalStyle" = 'postgres' SET "bytea_output" = 'hex' SET "extra_float_digits" = '1' SET "lc_monetary" = 'C' SET "xmloption" = 'content' SET "search_path" = 'pg_catalog' AS 'DECLARE old_row text; new_row text; old_key text; new_key text;
  BEGIN
    IF TG_OP <> ''INSERT'' THEN old_row := json_object(ARRAY[''id'', ''org'', ''folder'', ''title'', ''slug'', ''count'', ''seq'']::text[], ARRAY[OLD."id"::text, OLD."org"::text, OLD."folder"::text, OLD."title"::text, OLD."slug"::text, OLD."count"::text, OLD."seq"::text]::text[])::text; old_key := OLD."id"::text; END IF;
    IF TG_OP <> ''DELETE'' THEN new_row := json_object(ARRAY[''id'', ''org'', ''folder'', ''title'', ''slug'', ''count'', ''seq'']::text[], ARRAY[NEW."id"::text, NEW."org"::text, NEW."folder"::text, NEW."title"::text, NEW."slug"::text, NEW."count"::text, NEW."seq"::text]::text[])::text; new_key := NEW."id"::text; END IF;
    IF old_row = new_row THEN RETURN NULL; END IF;
    
    IF TG_OP <> ''DELETE'' THEN IF coalesce(NOT tidemark.is_held(''org:'' || NEW."org"::text), true) THEN PERFORM tidemark.refuse_foreign(''public.note''); END IF; END IF;
    IF old_key = new_key THEN
      PERFORM tidemark.keep_write(''public.note'', ''update'', old_key, old_row, new_row, TG_OP = ''INSERT'');
      RETURN NULL;
    END IF;
    IF TG_OP <> ''INSERT'' THEN PERFORM tidemark.keep_write(''public.note'', ''delete'', old_key, old_row, NULL, TG_OP = ''INSERT''); END IF;
    IF TG_OP <> ''DELETE'' THEN PERFORM tidemark.keep_write(''public.note'', ''insert'', new_key, NULL, new_row, TG_OP = ''INSERT''); END IF;
    RETURN NULL;
  END';
CREATE OR REPLACE TRIGGER "A_tidemark_capture" AFTER INSERT OR UPDATE OR DELETE ON "public"."note"
      FOR EACH ROW EXECUTE FUNCTION tidemark.capture_1();
CREATE OR REPLACE TRIGGER tidemark_admit BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON "public"."note"
      FOR EACH STATEMENT EXECUTE FUNCTION tidemark.admit_write('all', 't');
ALTER TABLE "public"."folder" ADD PRIMARY KEY ("id");
ALTER TABLE "public"."note" ADD PRIMARY KEY ("id");
ALTER TABLE "public"."note" ADD CONSTRAINT "note_slug_key" UNIQUE ("slug");
ALTER TABLE public.note ADD CONSTRAINT note_folder_fkey FOREIGN KEY (folder) REFERENCES public.folder(id) ON DELETE CASCADE NOT VALID;
INSERT INTO public.folder ("id", "org", "name") VALUES ('8585a44e-f006-532c-93de-b5c6c5288f51', 'a', 'pending');
INSERT INTO public.note ("id", "org", "folder", "title", "slug", "count", "seq") VALUES ('1', 'a', NULL, 'first', NULL, '1', NULL);
INSERT INTO public.note ("id", "org", "folder", "title", "slug", "count", "seq") VALUES ('2', 'a', NULL, 'first', NULL, '0', NULL);
INSERT INTO public.note ("id", "org", "folder", "title", "slug", "count", "seq") VALUES ('9', 'a', NULL, 'pending', NULL, '0', NULL);
INSERT INTO tidemark.audience ("place", "audience", "load_order", "start", "fence", "snapshot", "manifest") VALUES ('live', 'org:a', '0', '0000000000000100', '0000000000000100', '10:10:', NULL);
INSERT INTO tidemark.copy ("place", "stage", "epoch", "cursor", "rows", "version", "hash", "definition") VALUES ('live', 'joined', 'epoch-one', '0000000000000100', '2', '1', 'hash-one', '{"types":[],"tables":[{"id":"public.folder","schema":"public","name":"folder","columns":[{"name":"id","type":"text","notNull":false,"generated":null},{"name":"org","type":"text","notNull":true,"generated":null},{"name":"name","type":"text","notNull":false,"generated":null}],"primaryKey":["id"],"audience":{"column":"org","prefix":"org"},"write":"all","priority":100,"uniques":[],"indexes":[],"foreignKeys":[]},{"id":"public.note","schema":"public","name":"note","columns":[{"name":"id","type":"text","notNull":false,"generated":null},{"name":"org","type":"text","notNull":true,"generated":null},{"name":"folder","type":"text","notNull":false,"generated":null},{"name":"title","type":"text","notNull":false,"generated":null},{"name":"slug","type":"text","notNull":false,"generated":null},{"name":"count","type":"integer","notNull":true,"generated":null,"default":"0"},{"name":"seq","type":"bigint","notNull":false,"generated":null,"serverDefault":true}],"primaryKey":["id"],"audience":{"column":"org","prefix":"org"},"write":"all","priority":100,"uniques":[{"name":"note_slug_key","columns":["slug"],"deferrable":false}],"indexes":[],"foreignKeys":[{"name":"note_folder_fkey","statement":"ALTER TABLE public.note ADD CONSTRAINT note_folder_fkey FOREIGN KEY (folder) REFERENCES public.folder(id) ON DELETE CASCADE NOT VALID"}]}]}');
INSERT INTO tidemark.mutation ("counter", "kind", "origin", "name", "args", "at", "status", "effective", "sealed", "squashed_into", "patch", "request", "predicted", "outcome", "rejection", "lsn", "aside_lsn") VALUES ('1', 'patch', 'app', NULL, NULL, '2026-11-28T23:29:42.191Z', 'failed', 'true', 'true', NULL, '[{"o":"u","t":"public.note","a":"org:a","k":{"id":"2"},"d":{"title":"refused"},"b":{"title":{"v":"first"}}}]', '{"counter":1,"at":"2026-11-28T23:29:42.191Z","after":[],"kind":"patch","rows":[{"o":"u","t":"public.note","a":"org:a","k":{"id":"2"},"d":{"title":"refused"},"b":{"title":{"v":"first"}}}]}', '[{"o":"u","t":"public.note","a":"org:a","k":{"id":"2"},"d":{"title":"refused"}}]', NULL, '{"kind":"refused","message":"Not today."}', NULL, NULL);
INSERT INTO tidemark.mutation ("counter", "kind", "origin", "name", "args", "at", "status", "effective", "sealed", "squashed_into", "patch", "request", "predicted", "outcome", "rejection", "lsn", "aside_lsn") VALUES ('2', 'action', 'app', 'addOne', '{"id":"1"}', '2026-11-28T23:29:44.321Z', 'sent', 'true', 'true', NULL, NULL, '{"counter":2,"at":"2026-11-28T23:29:44.321Z","after":[],"kind":"action","name":"addOne","args":{"id":"1"},"predicted":[{"o":"u","t":"public.note","a":"org:a","k":{"id":"1"},"d":{"count":"1"}}]}', '[{"o":"u","t":"public.note","a":"org:a","k":{"id":"1"},"d":{"count":"1"}}]', NULL, NULL, NULL, NULL);
INSERT INTO tidemark.mutation ("counter", "kind", "origin", "name", "args", "at", "status", "effective", "sealed", "squashed_into", "patch", "request", "predicted", "outcome", "rejection", "lsn", "aside_lsn") VALUES ('3', 'patch', 'app', NULL, NULL, '2026-11-28T23:29:44.635Z', 'pending', 'true', 'false', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO tidemark.mutation ("counter", "kind", "origin", "name", "args", "at", "status", "effective", "sealed", "squashed_into", "patch", "request", "predicted", "outcome", "rejection", "lsn", "aside_lsn") VALUES ('4', 'action', 'app', 'addFolder', '{"name":"pending"}', '2026-11-28T23:29:44.687Z', 'pending', 'true', 'false', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO tidemark.owner ("singleton", "format", "user_id", "client_id", "counter") VALUES ('true', '3', 'ann', 'LY0aa2sfV6iwAVokcKkBa', '4');
INSERT INTO tidemark.write ("position", "counter", "table_id", "op", "key", "before", "after", "cascade") VALUES ('2', '2', 'public.note', 'update', '1', '{"id" : "1", "org" : "a", "folder" : null, "title" : "first", "slug" : null, "count" : "0", "seq" : null}', '{"id" : "1", "org" : "a", "folder" : null, "title" : "first", "slug" : null, "count" : "1", "seq" : null}', 'false');
INSERT INTO tidemark.write ("position", "counter", "table_id", "op", "key", "before", "after", "cascade") VALUES ('3', '3', 'public.note', 'insert', '9', NULL, '{"id" : "9", "org" : "a", "folder" : null, "title" : "pending", "slug" : null, "count" : "0", "seq" : null}', 'false');
INSERT INTO tidemark.write ("position", "counter", "table_id", "op", "key", "before", "after", "cascade") VALUES ('4', '4', 'public.folder', 'insert', '8585a44e-f006-532c-93de-b5c6c5288f51', NULL, '{"id" : "8585a44e-f006-532c-93de-b5c6c5288f51", "org" : "a", "name" : "pending"}', 'false');
SELECT setval('tidemark.write_position_seq', 4);
CREATE TABLE draft (id int PRIMARY KEY, text text);
INSERT INTO draft VALUES (1, 'kept');
RESET session_replication_role;
