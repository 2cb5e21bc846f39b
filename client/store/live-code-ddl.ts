import { notify } from './live-ddl.ts'

/** The schemas whose objects no live query reads: their tables are shown once they are the live ones. */
const HIDDEN = `('tidemark', 'tidemark_aside')`

/**
 * What notifies of touched tables and of changed schemas: always this library's.
 *
 * The triggers are always on, so that what is applied as the server's counts too.
 */
export const LIVE_CODE = `
  CREATE OR REPLACE FUNCTION tidemark.touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    ${notify(`'table', TG_RELID`)}
    RETURN NULL;
  END $$;
  CREATE OR REPLACE FUNCTION tidemark.schema_changed() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
    IF pg_catalog.current_setting('tidemark.live', true) = 'on' THEN RETURN; END IF;
    IF TG_EVENT = 'sql_drop' THEN
      IF NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger_dropped_objects() d
        WHERE coalesce(d.schema_name, '') NOT IN ${HIDDEN} AND d.object_type NOT IN
          ('index', 'trigger', 'event trigger', 'schema', 'default value', 'table constraint', 'toast table', 'rule')) THEN RETURN; END IF;
    ELSIF NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger_ddl_commands() c
      WHERE coalesce(c.schema_name, '') NOT IN ${HIDDEN}
        AND c.command_tag NOT IN ('CREATE INDEX', 'CREATE TRIGGER', 'CREATE SCHEMA', 'COMMENT', 'GRANT', 'REVOKE')) THEN RETURN;
    END IF;
    ${notify(`'schema', true`)}
  END $$;
  DROP EVENT TRIGGER IF EXISTS tidemark_live_ddl;
  DROP EVENT TRIGGER IF EXISTS tidemark_live_drop;
  CREATE EVENT TRIGGER tidemark_live_ddl ON ddl_command_end EXECUTE FUNCTION tidemark.schema_changed();
  CREATE EVENT TRIGGER tidemark_live_drop ON sql_drop EXECUTE FUNCTION tidemark.schema_changed();
  ALTER EVENT TRIGGER tidemark_live_ddl ENABLE ALWAYS;
  ALTER EVENT TRIGGER tidemark_live_drop ENABLE ALWAYS;
`
