import { is } from 'drizzle-orm'
import { getTableConfig, PgTable } from 'drizzle-orm/pg-core'
import type { Query } from '../../db/query.ts'
import * as schema from '../../db/schema.ts'
import type { HealthCheck } from '../contracts.ts'
import { failCheck, okCheck } from './health-check.ts'

const FUNCTIONS = [
  'tidemark.audiences()',
  'tidemark.audience_values(text)',
  'tidemark.user_id()',
  'tidemark.wait_for_wal(pg_lsn,integer,integer,xid8,name,pg_lsn,boolean,pg_lsn,integer,integer,integer,text[],json)',
  'tidemark.annotate(jsonb)',
  'tidemark.open_push(text,text,bigint)',
  'tidemark.known_mutation(text,bigint)',
  'tidemark.begin_mutation(text,bigint,text,text,text,bigint[],bigint,text,text)',
  'tidemark.finish_mutation(text,bigint,text,text,text)',
  'tidemark.settle_patch(text,bigint,text,text,text,bigint,text,text,text,text,text,text,text)',
  'tidemark.settle_patches(text,text,bigint,text,text,text[],integer,text)',
  'tidemark.lease_keys(text,text,json,integer)',
  'tidemark.unleased_keys(text,json)',
  'tidemark.draw_key(text)',
  'tidemark.count_try(text,bigint,text,integer)',
  'tidemark.standing()',
  'tidemark.require_version(bigint)',
  'tidemark.reject_mutation(text,bigint,text,text,text,text,bigint)',
  'tidemark.told_columns(text[])',
  'tidemark.row_history(text,text,jsonb,pg_lsn,integer,integer)',
  'tidemark.activity(text,text,pg_lsn,integer,integer)',
  'tidemark.mutation_history(text,text,text,integer)',
]

/** Returns `schema.table.column` of everything our own tables have in this version of the package. */
function expectedColumns(): string[] {
  return Object.values(schema).flatMap((entry) => {
    if (!is(entry, PgTable)) return []
    const { schema: space, name, columns } = getTableConfig(entry)
    return columns.map((column) => `${space}.${name}.${column.name}`)
  })
}

/** Judges whether our own schema is that of this package; `missing` names columns and functions. */
export function ownSchemaCheck(missing: readonly string[]): HealthCheck {
  if (missing.length === 0) return okCheck('own-schema')
  const shown =
    missing.length > 3 ? `${missing.slice(0, 3).join(', ')} and ${missing.length - 3} more` : missing.join(', ')
  return failCheck(
    'own-schema',
    `Schema tidemark is not of this version, it lacks ${shown}: run \`tidemark migrate\`.`,
    {
      value: missing.length,
      unit: 'missing',
    },
  )
}

const FOUND = `
  SELECT 'tidemark.' || c.relname || '.' || a.attname AS found
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE n.nspname = 'tidemark' AND c.relkind IN ('r', 'p')
  UNION ALL
  SELECT f FROM json_array_elements_text($1::json) AS f WHERE to_regprocedure(f) IS NOT NULL`

export async function checkOwnSchema(query: Query): Promise<HealthCheck> {
  const rows = await query(FOUND, [JSON.stringify(FUNCTIONS)])
  const found = new Set(rows.map((row) => row.found))
  return ownSchemaCheck([...expectedColumns(), ...FUNCTIONS].filter((name) => !found.has(name)))
}
