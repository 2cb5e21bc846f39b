import type { EntityMetadata } from 'typeorm'
import { isBaseEntity, syncedDeclaration } from '../../db/entity/marks.ts'
import { KEPT_AUDIENCE } from '../../protocol/definition.ts'
import { quoteLiteral, quoteTable } from '../../protocol/sql-identifier.ts'
import { tableColumns } from './synced-entity.ts'

/** The name sorts late, so that the trigger sees what others made of the row. */
export const VERSION_TRIGGER = 'version_counted'
/** Named after us, so that it replaces no function of the app. */
const VERSION_FUNCTION = 'public.tidemark_count_version()'

/**
 * The statement that makes the function which keeps `version` and `updated_at` of entities that extend `BaseEntity`.
 *
 * The version is counted from the old row whatever the writer wrote: TypeORM writes the same number itself, and no
 * writer can turn it back or use it up. A later time that the writer wrote stays; an earlier one is what TypeORM read
 * before another wrote, and saves with a stale entity. Rows are compared by their bytes, as `json`
 * knows no equality; the columns that the trigger's arguments name are left out: generated ones, as a new row has no values for
 * them yet, and the audience that Tidemark keeps.
 */
export const VERSION_FUNCTION_SQL = `CREATE FUNCTION ${VERSION_FUNCTION} RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  generated jsonb := (SELECT jsonb_object_agg(name, NULL::text) FROM unnest(TG_ARGV) AS argument (name));
BEGIN
  IF TG_NARGS = 0 AND OLD *= NEW THEN
    RETURN NEW;
  END IF;
  IF TG_NARGS > 0 AND jsonb_populate_record(OLD, generated) *= jsonb_populate_record(NEW, generated) THEN
    RETURN NEW;
  END IF;
  NEW.version := OLD.version + 1;
  IF NEW.updated_at <= OLD.updated_at THEN
    NEW.updated_at := now();
  END IF;
  RETURN NEW;
END
$$`

/** Returns the statement that makes the trigger of one entity's table. */
export function versionTriggerSql(metadata: EntityMetadata): string {
  const table = quoteTable({ schema: metadata.schema ?? 'public', name: metadata.tableName })
  const generated = tableColumns(metadata).filter(({ asExpression }) => asExpression !== undefined)
  const kept = hasKeptAudience(metadata) ? [quoteLiteral(KEPT_AUDIENCE)] : []
  const names = [...generated.map(({ databaseName }) => quoteLiteral(databaseName)), ...kept].join(', ')
  return `CREATE TRIGGER ${VERSION_TRIGGER} BEFORE UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION ${VERSION_FUNCTION.replace('()', `(${names})`)}`
}

/** A move of the parent changes nothing of the row but its audience, so that it does not count. */
function hasKeptAudience({ target }: EntityMetadata): boolean {
  const declared = typeof target === 'function' ? syncedDeclaration(target) : null
  return (
    declared !== null && (declared.when !== undefined || (declared.audience !== 'all' && 'via' in declared.audience))
  )
}

/** Tells whether the rows of an entity have what the trigger keeps. */
export function hasVersionTrigger({ target, tableType }: EntityMetadata): boolean {
  return tableType === 'regular' && typeof target === 'function' && isBaseEntity(target)
}
