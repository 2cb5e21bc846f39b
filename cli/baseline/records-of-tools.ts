import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Query } from '../../db/query.ts'
import { quoteTable } from '../../protocol/index.ts'

const journalSchema = z.object({ entries: z.array(z.object({ tag: z.string(), when: z.number() })) })

/** Finds tables by the columns that they have, and no others. */
const TABLES = `
  SELECT n.nspname::text AS schema, c.relname::text AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'tidemark') AND c.relname LIKE $2
    AND (SELECT string_agg(a.attname::text, ',' ORDER BY a.attname::text COLLATE "C") FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) = $1`

/**
 * Lists which of these files the tool that they are of has not run in the database, one sentence each, by its own record;
 * nothing where it keeps none there.
 */
export async function findNotRun(query: Query, folder: string, names: readonly string[]): Promise<string[]> {
  return [...(await notRunByDrizzle(query, folder, names)), ...(await notRunByTypeorm(query, names))]
}

/** drizzle-kit takes for run whatever is not younger than the last one that ran. */
async function notRunByDrizzle(query: Query, folder: string, names: readonly string[]): Promise<string[]> {
  const path = join(folder, 'meta', '_journal.json')
  if (!existsSync(path)) return []
  const [record] = await query(TABLES, ['created_at,hash,id', '\\_\\_drizzle%'])
  if (!record) return []
  const table = quoteTable({ schema: record.schema ?? '', name: record.name ?? '' })
  const [last] = await query(`SELECT coalesce(max(created_at), 0)::text AS at FROM ${table}`)
  const { entries } = journalSchema.parse(JSON.parse(readFileSync(path, 'utf8')))
  return entries
    .filter(({ tag, when }) => names.includes(`${tag}.sql`) && when > Number(last?.at))
    .map(({ tag }) => `${tag}.sql has not run by the record of drizzle-kit (${record.schema}.${record.name}).`)
}

/** TypeORM keeps the time that begins a file's name. */
async function notRunByTypeorm(query: Query, names: readonly string[]): Promise<string[]> {
  const timed = names.flatMap((name) => {
    const [, time] = /^(\d{13})-.*\.[cm]?[jt]s$/.exec(name) ?? []
    return time === undefined ? [] : [{ name, time }]
  })
  const [record] = timed.length === 0 ? [] : await query(TABLES, ['id,name,timestamp', '%'])
  if (!record) return []
  const table = quoteTable({ schema: record.schema ?? '', name: record.name ?? '' })
  const rows = await query(`SELECT "timestamp"::text AS time FROM ${table}`)
  const ran = new Set(rows.map(({ time }) => time))
  return timed
    .filter(({ time }) => !ran.has(time))
    .map(({ name }) => `${name} has not run by the record of TypeORM (${record.schema}.${record.name}).`)
}
