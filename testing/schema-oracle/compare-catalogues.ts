import { openReplicaOn } from '../../client/open-replica.ts'
import { openPreparedDatabase } from '../replica/prepared-database.ts'
import { sync } from './app/sync.ts'
import type { SchemaWriter, WriterOptions } from './schema-writer.ts'

/** Everything that synced tables are made of, in an order of its own, without what Postgres names by itself. */
const CATALOGUE = `
  WITH synced AS (SELECT tgrelid AS oid FROM pg_trigger WHERE tgname = 'tidemark_admit')
  SELECT format('%s column %s %s %s %s', s.oid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
    pg_get_expr(d.adbin, d.adrelid)) AS line
  FROM synced s JOIN pg_attribute a ON a.attrelid = s.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = s.oid AND d.adnum = a.attnum
  UNION ALL SELECT format('%s constraint %s', k.conrelid::regclass, pg_get_constraintdef(k.oid)) FROM synced s
    JOIN pg_constraint k ON k.conrelid = s.oid WHERE k.contype IN ('p', 'u', 'f', 'c')
  UNION ALL SELECT pg_get_indexdef(i.indexrelid) FROM synced s JOIN pg_index i ON i.indrelid = s.oid
    WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
  UNION ALL SELECT format('%s trigger %s', s.oid::regclass, t.tgname) FROM synced s JOIN pg_trigger t ON t.tgrelid = s.oid
    WHERE NOT t.tgisinternal AND t.tgname NOT LIKE '\\_notify\\_%'
  UNION ALL SELECT format('labels %s', string_agg(e.enumlabel, ' ' ORDER BY e.enumsortorder)) FROM pg_enum e
    JOIN pg_type t ON t.oid = e.enumtypid WHERE t.typname = 'state'
  UNION ALL SELECT format('order of %s: %s', s.oid::regclass, string_agg(a.attname, ' ' ORDER BY a.attnum)) FROM synced s
    JOIN pg_attribute a ON a.attrelid = s.oid AND a.attnum > 0 AND NOT a.attisdropped GROUP BY s.oid
  ORDER BY 1`

type Queryable = Pick<SchemaWriter['replica']['db'], 'query'>

const linesOf = async (db: Queryable) => (await db.query<{ line: string }>(CATALOGUE)).rows.map(({ line }) => line)

/** Compares the tables of replicas that came all the way with those of one that has just loaded. Rule MIG-R2. */
export async function compareCatalogues(writers: readonly SchemaWriter[], like: WriterOptions): Promise<string[]> {
  const fresh = await openReplicaOn(
    { url: like.url, user: like.name, token: like.token, sync, storage: 'memory://' },
    openPreparedDatabase,
  )
  try {
    await fresh.ready
    const expected = await linesOf(fresh.db)
    const violations: string[] = []
    for (const { replica, options } of writers) {
      const lines = await linesOf(replica.db)
      const missing = expected.filter((line) => !lines.includes(line))
      const extra = lines.filter((line) => !expected.includes(line))
      if (missing.length + extra.length > 0)
        violations.push(
          `${options.name} has other tables than a fresh replica\n  fresh: ${missing.join('\n  ')}\n  its: ${extra.join('\n  ')}`,
        )
    }
    return violations
  } finally {
    await fresh.close()
  }
}
