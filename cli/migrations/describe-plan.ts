import type { Sync } from '../../db/define-sync.ts'
import { type DeclaredTable, declaredTables } from '../../db/definition/declared-table.ts'
import { readDefinitionInForce } from '../../db/definition/definition-in-force.ts'
import type { Query } from '../../db/query.ts'
import { KEPT_AUDIENCE, quoteTable, type TableDefinition } from '../../protocol/index.ts'
import type { MigrationFile } from './migration-file.ts'
import { splitStatements } from './split-statements.ts'
import { locksOf, type StatementLock, type Work } from './statement-locks.ts'
import { readSizes, showBytes, type TableSize } from './table-sizes.ts'

/** Rates of a small server, for times that are right in their order of magnitude. */
const READ_BYTES_A_SECOND = 200_000_000
const WRITE_BYTES_A_SECOND = 40_000_000
/** An entry of an index over one narrow column, with its page's share. */
const ENTRY_BYTES = 24
const SHOWN_LENGTH = 100

interface LiveTable extends TableSize {
  /** Its name as it is known here, for a name of the file. */
  readonly shown: string
  /** What the table and its indexes take. */
  readonly totalBytes: number
}

/**
 * Says what pending files will do to tables that are there: the lock of each statement, whether it rewrites or reads the
 * rows, how long that may take and how much log it may write; and which tables join. Nothing is locked for it.
 */
export async function describePlan(query: Query, files: readonly MigrationFile[], sync: Sync): Promise<string[]> {
  const statements = files.flatMap((file) =>
    file.statements.flatMap((whole) =>
      (splitStatements(whole) ?? [whole]).map((text) => ({
        file: file.name + (file.batchRows ? ` (in batches of ${file.batchRows} rows, each committed by itself)` : ''),
        text,
        locks: locksOf(text),
      })),
    ),
  )
  const live = await readLive(
    query,
    statements.flatMap(({ locks }) => locks?.map(({ table }) => table) ?? []),
  )
  const inForce = await readInForce(query)
  const synced = new Set(inForce.map(({ id }) => id))
  const lines: string[] = []
  let named = ''
  for (const { file, text, locks } of statements) {
    const touching = (locks ?? []).flatMap((lock) => {
      const table = live.get(lock.table)
      return table ? [describeLock(lock, table, synced.has(table.shown))] : []
    })
    if (locks !== null && touching.length === 0) continue
    if (named !== file) lines.push(`${file}:`)
    named = file
    lines.push(`  ${shorten(text)}`)
    lines.push(
      ...(locks === null
        ? ['    what it locks and writes is not told by its text']
        : touching.map((one) => `    ${one}`)),
    )
  }
  lines.push(...(await describeJoining(query, sync, inForce)))
  return lines
}

function describeLock(
  { lock, work }: StatementLock,
  { shown, rows, bytes, totalBytes }: LiveTable,
  isSynced: boolean,
): string {
  const size = `${rows === null ? 'rows not yet counted' : `about ${rows} rows`}, ${showBytes(bytes)}`
  const replicas = isSynced ? `; replicas ${OF_REPLICAS[work]}` : '; not synced'
  return `${shown} (${size}): ${WAITING[lock]}; ${describeWork(work, { rows, bytes, totalBytes })}${replicas}`
}

const OF_REPLICAS: Readonly<Record<Work, string>> = {
  none: 'download nothing',
  scan: 'download nothing',
  index: 'download nothing',
  rewrite: 'load it anew',
  'perhaps rewrite': 'load it anew where it is',
  rows: 'get the changed rows',
}

const WAITING: Readonly<Record<StatementLock['lock'], string>> = {
  'ACCESS EXCLUSIVE': 'ACCESS EXCLUSIVE, readers and writers wait',
  'SHARE ROW EXCLUSIVE': 'SHARE ROW EXCLUSIVE, writers wait',
  SHARE: 'SHARE, writers wait',
  'SHARE UPDATE EXCLUSIVE': 'SHARE UPDATE EXCLUSIVE, nobody waits who reads or writes',
  'ROW EXCLUSIVE': 'ROW EXCLUSIVE, those wait who write the same rows',
}

type Sizes = Pick<LiveTable, 'rows' | 'bytes' | 'totalBytes'>

/** With its whole old row in the log a change is written twice. */
function describeWork(work: Work, { rows, bytes, totalBytes }: Sizes): string {
  const seconds = (amount: number, rate: number) => {
    const count = amount / rate
    return count < 1 ? 'less than a second' : `roughly ${Math.ceil(count)} s`
  }
  const index = (rows ?? Math.ceil(bytes / 100)) * ENTRY_BYTES
  switch (work) {
    case 'none':
      return 'no row is read or written'
    case 'scan':
      return `all rows are read, ${seconds(bytes, READ_BYTES_A_SECOND)}`
    case 'index':
      return `all rows are read, ${seconds(bytes, READ_BYTES_A_SECOND)}, about ${showBytes(index)} of log for each column`
    case 'rewrite':
      return `all rows are written anew, ${seconds(totalBytes, WRITE_BYTES_A_SECOND)}, about ${showBytes(totalBytes)} of log`
    case 'perhaps rewrite':
      return `all rows are written anew unless types or values allow to keep them, at most ${seconds(totalBytes, WRITE_BYTES_A_SECOND)}, ${showBytes(totalBytes)} of log`
    case 'rows':
      return `all rows at most, ${seconds(2 * totalBytes, WRITE_BYTES_A_SECOND)}, ${showBytes(2 * totalBytes)} of log`
  }
}

/** The tables that are synced before the run. */
async function readInForce(query: Query): Promise<readonly TableDefinition[]> {
  const [own] = await query(`SELECT to_regclass('tidemark.sync_definition')::text AS found`)
  return own?.found ? ((await readDefinitionInForce(query))?.definition.tables ?? []) : []
}

/** Those that are not yet in the definition in force get the whole old row in the log, which alters them. */
async function describeJoining(query: Query, sync: Sync, inForce: readonly TableDefinition[]): Promise<string[]> {
  const isIn = ({ schema, name }: DeclaredTable) =>
    inForce.some((table) => table.schema === schema && table.name === name)
  const joining = declaredTables(sync).filter((table) => !isIn(table))
  const live = await readLive(query, joining.map(quoteTable))
  const kept = new Set(joining.filter((table) => table.kept !== null).map(quoteTable))
  return [...live].map(
    ([name, { shown, rows, bytes, totalBytes }]) =>
      `${shown} joins (${rows === null ? 'rows not yet counted' : `about ${rows} rows`}, ${showBytes(bytes)}): ACCESS EXCLUSIVE for a moment, for REPLICA IDENTITY FULL${
        kept.has(name)
          ? `, a column ${KEPT_AUDIENCE} and triggers; its rows are filled, about ${showBytes(2 * totalBytes)} of log`
          : '; no row is read or written'
      }`,
  )
}

/** Looks names up as the files will, by the search path of the app. */
async function readLive(query: Query, names: readonly string[]): Promise<ReadonlyMap<string, LiveTable>> {
  const wanted = [...new Set(names)]
  if (wanted.length === 0) return new Map()
  const found = await query(
    `SELECT wanted.name, format('%I.%I', n.nspname, c.relname) AS relation, n.nspname || '.' || c.relname AS shown,
       (SELECT sum(pg_total_relation_size(part.relid)) FROM (SELECT c.oid AS relid UNION SELECT relid FROM pg_partition_tree(c.oid)) AS part)::text AS total
     FROM json_array_elements_text($1::json) AS wanted(name)
     JOIN pg_class c ON c.oid = to_regclass(wanted.name) AND c.relkind IN ('r', 'p') JOIN pg_namespace n ON n.oid = c.relnamespace`,
    [JSON.stringify(wanted)],
  )
  const sizes = await readSizes(
    query,
    found.map(({ relation }) => relation ?? ''),
  )
  return new Map(
    found.map(({ name, relation, shown, total }) => {
      const size = sizes.get(relation ?? '') ?? { rows: 0, bytes: 0 }
      return [name ?? '', { shown: shown ?? '', totalBytes: Number(total), ...size }]
    }),
  )
}

function shorten(text: string): string {
  const line = text
    .replaceAll(/--[^\n]*/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim()
  return line.length > SHOWN_LENGTH ? `${line.slice(0, SHOWN_LENGTH - 1)}…` : line
}
