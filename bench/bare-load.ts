import type { PGliteInterface } from '@electric-sql/pglite'
import { readCopies } from '../client/store/copies.ts'
import type { Database } from '../client/store/database.ts'
import { addPrimaryKey, createTable, finishings } from '../client/store/definition-ddl.ts'
import { tableOf } from '../client/store/replica-table.ts'

/** Everything that bare PGlite needs to load a table of a replica: the statements before and after, and the rows. */
export interface BareLoad {
  readonly create: string
  readonly copy: string
  readonly finish: readonly string[]
  readonly text: Blob
  readonly rows: number
}

/** Reads a table out of a replica. */
export async function bareLoadOf(db: Database, name: string): Promise<BareLoad> {
  const [copy] = await readCopies(db)
  if (!copy) throw new Error('The replica holds no copy.')
  const table = tableOf(copy.tables, name)
  const columns = table.columns.map((column) => `"${column.name}"`).join(', ')
  const { blob, affectedRows = 0 } = await db.query(`COPY ${table.name} (${columns}) TO '/dev/blob'`)
  const types = copy.definition.definition.types.map(({ statement }) => `${statement};`)
  const finish = finishings([table]).filter(({ statement }) => !statement.includes('FOREIGN KEY'))
  return {
    create: [...types, createTable(table, 'aside')].join('\n'),
    copy: `COPY ${table.name} (${columns}) FROM '/dev/blob'`,
    finish: [addPrimaryKey(table), ...finish.map(({ statement }) => statement)],
    text: blob as Blob,
    rows: affectedRows,
  }
}

/** Loads the table with one COPY, and makes its key and indexes after it. */
export async function loadBare(
  db: Pick<PGliteInterface, 'exec' | 'transaction'>,
  { create, copy, finish, text }: BareLoad,
): Promise<void> {
  await db.exec(create)
  await db.transaction(async (tx) => {
    await tx.exec('SET LOCAL session_replication_role = replica')
    await tx.query(copy, [], { blob: text })
  })
  for (const statement of finish) await db.exec(statement)
}
