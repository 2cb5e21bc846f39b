import { quoteIdentifier, quoteLiteral } from '../../protocol/index.ts'

/** On this channel a commit notifies of the tables it touched, see `client/live/rules/notice.ts`. */
export const LIVE_CHANNEL = 'tidemark_live'

/** Columns of one table by whose values its touches are told apart. */
export const MAX_KEY_COLUMNS = 3
/** Values of a column that one statement may touch and still name; more are any. With three columns they fit 8,000 bytes. */
const MAX_KEYS = 150
/** The name of the trigger that each table has which a live query reads. */
export const LIVE_TRIGGER = 'tidemark_live'
/** Under this setting DDL is of the live queries themselves. */
const OWN_DDL = `SET LOCAL session_replication_role = replica; SET LOCAL tidemark.live = 'on';`

/** Makes the statement of a function that notifies of these facts. */
export const notify = (facts: string) =>
  `PERFORM pg_catalog.pg_notify('${LIVE_CHANNEL}', pg_catalog.json_build_object('xact', pg_catalog.pg_current_xact_id(), ${facts})::pg_catalog.text);`

/** Drops the triggers of earlier sessions, whose tables nobody may look at now. */
export const START_LIVE = `
  ${OWN_DDL}
  DO $do$ DECLARE found record; BEGIN
    FOR found IN SELECT g.tgname, g.tgrelid::regclass AS name FROM pg_trigger g JOIN pg_proc f ON f.oid = g.tgfoid
      WHERE NOT g.tgisinternal AND (starts_with(g.tgname, '${LIVE_TRIGGER}')
        OR (starts_with(g.tgname, '_notify_trigger_') AND starts_with(f.proname, '_notify_')))
    LOOP EXECUTE format('DROP TRIGGER %I ON %s', found.tgname, found.name); END LOOP;
    FOR found IN SELECT f.oid::regprocedure AS name FROM pg_proc f
      WHERE f.pronamespace = 'tidemark'::regnamespace AND starts_with(f.proname, 'touched_')
    LOOP EXECUTE format('DROP FUNCTION %s', found.name); END LOOP;
  END $do$;
`

/** Makes the triggers that notify of a table's touches; with `keys` also of the values that these columns had and have. */
export function watchTable(table: { readonly oid: number; readonly name: string }, keys: readonly string[]): string {
  const { oid, name } = table
  if (keys.length === 0)
    return `${OWN_DDL} ${makeTrigger(name, '', 'INSERT OR UPDATE OR DELETE OR TRUNCATE', '', 'touched')}`
  const own = `touched_${oid}`
  return `${OWN_DDL}
    CREATE OR REPLACE FUNCTION tidemark.${own}() RETURNS trigger LANGUAGE plpgsql AS $touched$ BEGIN
      IF TG_OP = 'INSERT' THEN ${notifyKeys(keys, ['new_rows'])}
      ELSIF TG_OP = 'DELETE' THEN ${notifyKeys(keys, ['old_rows'])}
      ELSE ${notifyKeys(keys, ['old_rows', 'new_rows'])}
      END IF;
      RETURN NULL;
    END $touched$;
    DROP TRIGGER IF EXISTS ${LIVE_TRIGGER} ON ${name};
    ${makeTrigger(name, '', 'TRUNCATE', '', 'touched')}
    ${makeTrigger(name, '_insert', 'INSERT', 'REFERENCING NEW TABLE AS new_rows', own)}
    ${makeTrigger(name, '_update', 'UPDATE', 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows', own)}
    ${makeTrigger(name, '_delete', 'DELETE', 'REFERENCING OLD TABLE AS old_rows', own)}`
}

function makeTrigger(table: string, suffix: string, events: string, referencing: string, called: string): string {
  return `CREATE OR REPLACE TRIGGER ${LIVE_TRIGGER}${suffix} AFTER ${events} ON ${table} ${referencing}
      FOR EACH STATEMENT EXECUTE FUNCTION tidemark.${called}();
    ALTER TABLE ${table} ENABLE ALWAYS TRIGGER ${LIVE_TRIGGER}${suffix};`
}

/** A statement that touched no row notifies of nothing. */
function notifyKeys(keys: readonly string[], images: readonly string[]): string {
  const valuesOf = (key: string) => {
    const column = quoteIdentifier(key)
    const each = images.map(
      (image) =>
        `SELECT pg_catalog.hashtext(${column}::pg_catalog.text) AS h FROM ${image} WHERE ${column} IS NOT NULL`,
    )
    const distinct = `(SELECT DISTINCT h FROM (${each.join(' UNION ALL ')}) AS touched LIMIT ${MAX_KEYS + 1}) AS few`
    return `${quoteLiteral(key)}, (SELECT CASE WHEN pg_catalog.count(*) <= ${MAX_KEYS} THEN coalesce(pg_catalog.json_agg(h), '[]') END FROM ${distinct})`
  }
  const facts = `'table', TG_RELID, 'keys', pg_catalog.json_build_object(${keys.map(valuesOf).join(', ')})`
  return `IF EXISTS (SELECT FROM ${images.at(-1)}) THEN ${notify(facts)} END IF;`
}
