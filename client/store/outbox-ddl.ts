import { LIMITS } from '../../protocol/index.ts'
import { CALL_MARK } from './call-origin.ts'
import { OUTBOX_CHANNEL } from './rules/outbox-notice.ts'
import { IS_UNSETTLED } from './words-ddl.ts'

/** Holds where no mutation waits for the server, or for the app to decide. */
export const NOTHING_OPEN = `NOT EXISTS (SELECT FROM tidemark.mutation WHERE status <> 'confirmed' AND squashed_into IS NULL)`

/** The outbox as it was in format 3, which is never edited: changes of it are upgrades. */
export const OUTBOX_TABLES = `
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
`

/** The functions, views and triggers of the outbox: always this library's, whichever version made the tables. */
export const OUTBOX_CODE = `
  CREATE OR REPLACE VIEW tidemark.mutation_status AS
    SELECT o.client_id || ':' || m.counter AS id, coalesce(t.status, m.status) AS status, m.kind, m.name AS action, m.at,
      coalesce(t.effective, m.effective) AS effective, coalesce(t.rejection, m.rejection) AS rejection,
      coalesce(t.lsn, m.lsn) AS lsn
    FROM tidemark.owner o CROSS JOIN tidemark.mutation m LEFT JOIN tidemark.mutation t ON t.counter = m.squashed_into;

  CREATE OR REPLACE FUNCTION tidemark.begin_mutation(made_kind text, made_name text, made_args text) RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog AS $$
  DECLARE made bigint; oldest bigint; asked text[];
  BEGIN
    UPDATE tidemark.owner SET counter = counter + 1 RETURNING counter INTO made;
    SELECT min(counter) INTO oldest FROM tidemark.mutation WHERE ${IS_UNSETTLED};
    IF made - oldest >= ${LIMITS.outboxMutations} AND
      (SELECT count(*) FROM tidemark.mutation WHERE ${IS_UNSETTLED}) >= ${LIMITS.outboxMutations} THEN
      RAISE EXCEPTION 'the outbox is full: ${LIMITS.outboxMutations} mutations wait for the server'
        USING ERRCODE = 'configuration_limit_exceeded', HINT = 'Go online and wait until some are confirmed.';
    END IF;
    -- A statement of a tab ends with the call that it is.
    asked := regexp_match(right(current_query(), 120), '${CALL_MARK}');
    INSERT INTO tidemark.mutation (counter, kind, name, args, at, status, tab, call) VALUES (made, made_kind, made_name, made_args,
      to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'pending', asked[1], asked[2]);
    PERFORM set_config('tidemark.mutation', made::text, true), set_config('tidemark.size', '', true),
      pg_notify('${OUTBOX_CHANNEL}', made::text);
    RETURN made;
  END $$;

  CREATE OR REPLACE FUNCTION tidemark.begin_action(its_name text, its_args text, OUT made bigint, OUT made_at text)
  LANGUAGE plpgsql SET search_path = pg_catalog AS $$
  BEGIN
    made := tidemark.begin_mutation('action', its_name, its_args);
    SELECT at INTO made_at FROM tidemark.mutation WHERE counter = made;
  END $$;

  CREATE OR REPLACE FUNCTION tidemark.keep_write(
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
      IF rows_so_far > ${LIMITS.mutationRows} OR chars_so_far > ${LIMITS.mutationChars} THEN
        RAISE EXCEPTION 'one transaction may write ${LIMITS.mutationRows} synced rows and ${LIMITS.mutationChars} characters'
          USING ERRCODE = 'program_limit_exceeded', HINT = 'Write in several transactions.';
      END IF;
      PERFORM set_config('tidemark.size', rows_so_far || ',' || chars_so_far, true);
    END IF;
    INSERT INTO tidemark.write (counter, table_id, op, key, before, after)
      VALUES (current, its_table, its_op, its_key, its_before, its_after);
  END $$;

  CREATE OR REPLACE FUNCTION tidemark.is_held(audience text) RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT EXISTS (SELECT FROM tidemark.audience a WHERE a.place = 'live' AND a.audience = is_held.audience)
  $$;

  -- Arguments: who may write the table through a replica, and whether a cascade may do so all the same.
  CREATE OR REPLACE FUNCTION tidemark.admit_write() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
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

  CREATE OR REPLACE FUNCTION tidemark.refuse_row(table_name text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
  BEGIN
    RAISE EXCEPTION 'table % is synced and not to be written here but by a cascade', table_name
      USING ERRCODE = 'read_only_sql_transaction', HINT = 'Write through your own server, or by an action where the table allows it.';
  END $$;

  CREATE OR REPLACE FUNCTION tidemark.refuse_foreign(table_name text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
  BEGIN
    RAISE EXCEPTION 'a row of table % would be of an audience that this replica does not hold', table_name
      USING ERRCODE = 'insufficient_privilege', HINT = 'Give its audience column a value that this user may see.';
  END $$;

  -- Ours is done under the replica role, where event triggers rest.
  CREATE OR REPLACE FUNCTION tidemark.refuse_ddl() RETURNS event_trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
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
    LIMIT 1;
    IF found IS NOT NULL THEN
      RAISE EXCEPTION '% belongs to a synced table, which only its server changes', found
        USING ERRCODE = 'feature_not_supported', HINT = 'Change it in the server''s database; replicas follow.';
    END IF;
  END $$;
  CREATE OR REPLACE FUNCTION tidemark.refuse_drop() RETURNS event_trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
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
  DROP EVENT TRIGGER IF EXISTS tidemark_refuse_ddl;
  DROP EVENT TRIGGER IF EXISTS tidemark_refuse_drop;
  CREATE EVENT TRIGGER tidemark_refuse_ddl ON ddl_command_end EXECUTE FUNCTION tidemark.refuse_ddl();
  CREATE EVENT TRIGGER tidemark_refuse_drop ON sql_drop EXECUTE FUNCTION tidemark.refuse_drop();

  -- What a push may take, and of mutations after \`seen\` what is looked at once: one call, because each statement by itself
  -- is planned anew.
  CREATE OR REPLACE FUNCTION tidemark.unsent(seen bigint, most int) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog AS $$
  DECLARE newest bigint; fresh json; writes json;
  BEGIN
    SELECT counter INTO newest FROM tidemark.owner;
    IF newest > seen THEN
      SELECT json_agg(json_build_object('counter', counter, 'kind', kind, 'sealed', sealed, 'effective', effective,
        'origin', origin, 'tab', tab, 'patch', patch) ORDER BY counter) INTO fresh FROM tidemark.mutation WHERE ${IS_UNSETTLED} AND request IS NULL;
      -- Of those sent before only which rows they made or removed counts.
      SELECT json_agg(row_to_json(w) ORDER BY w.position) INTO writes FROM tidemark.write w WHERE EXISTS (
        SELECT FROM tidemark.mutation m WHERE m.counter = w.counter AND ${IS_UNSETTLED}
          AND (m.request IS NULL OR w.op <> 'update'));
    END IF;
    RETURN json_build_object('last', newest, 'fresh', coalesce(fresh, '[]'), 'writes', coalesce(writes, '[]'),
      'waiting', (SELECT coalesce(json_agg(row_to_json(w) ORDER BY w.counter), '[]') FROM (
        SELECT counter, kind, name, args, keys, at, patch, request FROM tidemark.mutation
        WHERE ${IS_UNSETTLED} AND outcome IS NULL ORDER BY counter LIMIT most) AS w));
  END $$;

  -- Keeps what is sent, to be sent the same again, and answers up to where outcomes are never asked for again.
  CREATE OR REPLACE FUNCTION tidemark.freeze(requests text) RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog AS $$
  BEGIN
    UPDATE tidemark.mutation m SET status = 'sent', sealed = true, request = x.request, predicted = x.predicted
      FROM json_to_recordset(requests::json) AS x(counter bigint, request text, predicted text) WHERE m.counter = x.counter;
    RETURN least(
      coalesce((SELECT min(counter) FROM tidemark.mutation WHERE ${IS_UNSETTLED}),
        (SELECT counter + 1 FROM tidemark.owner)),
      (SELECT min((basis.value ->> 'm')::bigint) FROM tidemark.mutation,
        json_array_elements(patch::json) AS changed, json_each(changed.value -> 'b') AS basis
        WHERE ${IS_UNSETTLED} AND strpos(patch, '"m":') > 0)
    ) - 1;
  END $$;

  -- Does patches again in their order, each whole or not at all. Answers those that could not be done: by an error of theirs,
  -- or because one that they build on (after) could not be, which is on_counter.
  CREATE OR REPLACE FUNCTION tidemark.redo_patches(items text) RETURNS TABLE (
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
          FOR step IN SELECT * FROM json_to_recordset(item.steps) AS s("table" text, text text, parameter text, expected bigint,
            inserts boolean)
          LOOP
            EXECUTE step.text USING step.parameter;
            GET DIAGNOSTICS affected = ROW_COUNT;
            IF affected <> step.expected THEN
              RAISE EXCEPTION 'a row of % is not there', step."table" USING ERRCODE = 'TMR04', TABLE = step."table";
            END IF;
            -- A row that somebody made by this key meanwhile is another row, and this one still one that others build on.
            IF step.inserts THEN
              UPDATE tidemark.write SET op = 'insert' WHERE counter = undone AND table_id = step."table" AND op = 'update';
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
`
