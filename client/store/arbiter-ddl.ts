import { quoteLiteral } from '../../protocol/index.ts'
import type { ReplicaTable } from './replica-table.ts'

/**
 * ON CONFLICT wants a unique index that is checked row by row; rows that exchange values, and the server's, which come in any
 * order, want one that is not. So an index here is deferred, and is checked row by row while a statement with ON CONFLICT lasts.
 *
 * The catalogue holds the choice: it is changed and put back within the statement, and undone with it.
 */
const ARBITRATE = `CREATE OR REPLACE FUNCTION tidemark.arbitrate() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
  DECLARE context text;
  BEGIN
    IF TG_WHEN = 'BEFORE' THEN
      GET DIAGNOSTICS context = PG_CONTEXT;
      -- What runs within a function does not stand in the query. Patches that are done again go by keys alone.
      IF current_query() !~* '\\m(conflict|execute)\\M'
        AND (strpos(context, E'\\n') = 0 OR strpos(context, 'redo_patches(') > 0) THEN RETURN NULL; END IF;
      PERFORM set_config('tidemark.arbitrating', TG_RELID::text, true);
    ELSIF current_setting('tidemark.arbitrating', true) IS DISTINCT FROM TG_RELID::text THEN RETURN NULL;
    ELSE PERFORM set_config('tidemark.arbitrating', '', true);
    END IF;
    UPDATE pg_index i SET indimmediate = TG_WHEN = 'BEFORE' FROM pg_class c
      WHERE i.indrelid = TG_RELID AND c.oid = i.indexrelid AND c.relname = ANY (TG_ARGV);
    RETURN NULL;
  END $$;`

/** Makes an index one that ON CONFLICT may go by. It is never checked otherwise: only the server knows all rows. */
export function markArbiter({ definition }: ReplicaTable, name: string): string {
  return `UPDATE pg_catalog.pg_index i SET indisunique = true, indimmediate = false
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE i.indexrelid = c.oid AND n.nspname = ${quoteLiteral(definition.schema)} AND c.relname = ${quoteLiteral(name)}`
}

/** Lets ON CONFLICT go by the unique indexes of these tables, wherever the server allows it. */
export function arbiterStatements(tables: Iterable<ReplicaTable>): string[] {
  return [ARBITRATE, ...[...tables].flatMap(triggers)]
}

function triggers({ name, definition: { write, uniques, indexes } }: ReplicaTable): string[] {
  const arbiters = [
    ...uniques.filter(({ atOnce, deferrable }) => atOnce && deferrable),
    ...indexes.filter(({ unique }) => unique !== undefined),
  ].map((one) => quoteLiteral(one.name))
  const calls = `FOR EACH STATEMENT EXECUTE FUNCTION tidemark.arbitrate(${arbiters.join(', ')})`
  if (write === undefined || arbiters.length === 0)
    return [
      `DROP TRIGGER IF EXISTS tidemark_arbitrate ON ${name};`,
      `DROP TRIGGER IF EXISTS tidemark_arbitrated ON ${name};`,
    ]
  return [
    `CREATE OR REPLACE TRIGGER tidemark_arbitrate BEFORE INSERT ON ${name} ${calls};`,
    `CREATE OR REPLACE TRIGGER tidemark_arbitrated AFTER INSERT ON ${name} ${calls};`,
  ]
}
