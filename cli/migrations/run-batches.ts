import type { Query } from '../../db/query.ts'
import { TidemarkError } from '../../protocol/errors.ts'
import { type Database, textArray } from '../../workers/database/index.ts'
import { batchOf } from './batch-statement.ts'
import type { MigrationFile } from './migration-file.ts'
import { LOCK_WAIT_MS } from './migration-lock.ts'
import { retryLocks } from './retry-locks.ts'
import { runStatement } from './run-file.ts'

/** The place before every row. */
const FIRST = '(0,0)'

/**
 * Changes the rows of a file that says so in batches, each of which is committed by itself; what is left then, and the
 * record, is the file's own transaction. Ended anywhere, it goes on where it was: its WHERE must not hold for rows that it
 * changed. Answers what it did, null for a file that runs at once. Throws `bad-input` where that cannot be.
 */
export async function runBatches(database: Database, file: MigrationFile): Promise<string | null> {
  const statement = batchOf(file)
  if (statement === null) return null
  let [rows, batches, last, isFirst] = [0, 0, FIRST, true]
  while (true) {
    const [from, done] = [last, rows]
    const changed = await retryLocks(database, [], LOCK_WAIT_MS, async (query) => {
      // Connections are pinned to pg_catalog; an app's SQL expects its own search path.
      await query('SET LOCAL search_path TO DEFAULT')
      await requirePlainTable(query, file.name, statement.table)
      const batch = { text: statement.text, parameters: [from], index: 0 }
      const places = await runStatement(
        query,
        file,
        batch,
        `left the ${done} rows of the batches before as it made them`,
      )
      if (statement.isStill === null || places.length === 0) return places
      const still = await query(statement.isStill, [textArray(places.map(({ place }) => place ?? ''))])
      if (still.length > 0)
        throw new TidemarkError(
          'bad-input',
          `Migration ${file.name} would never end in batches, and its last batch was taken back: its WHERE still holds for rows that it ` +
            'changed. Have it leave those out, as UPDATE … SET rank = 0 WHERE rank IS NULL does.',
        )
      return places
    })
    // Rows need not come by their places: the end is reached where nothing is found from the beginning on.
    if (changed.length === 0 && !isFirst) {
      last = FIRST
      isFirst = true
      continue
    }
    if (changed.length === 0) return `${file.name}: ${rows} rows in ${batches} batches.`
    rows += changed.length
    batches += 1
    last = changed[0]?.last ?? last
    isFirst = false
  }
}

/** A place tells a row only within one partition, or one of the tables that inherit from each other. */
async function requirePlainTable(query: Query, name: string, table: string): Promise<void> {
  const [found] = await query(
    `SELECT (relkind = 'r' AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid))::text AS plain
     FROM pg_class c WHERE oid = to_regclass($1)`,
    [table],
  )
  if (found === undefined || found.plain === 'true') return
  throw new TidemarkError(
    'bad-input',
    `Migration ${name} cannot run in batches, because ${table} is not a plain table: write a file for each partition, or each table that inherits from it.`,
  )
}
