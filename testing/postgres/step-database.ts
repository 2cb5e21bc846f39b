import { pgTable, text } from 'drizzle-orm/pg-core'
import { followRetypes, lookAtColumns } from '../../cli/migrations/follow-retypes.ts'
import { effectOf } from '../../cli/migrations/statement-effect.ts'
import { applyDefinition } from '../../db/definition/apply-definition.ts'
import { readStart } from '../../db/definition/transaction-start.ts'
import { type AppliedDefinition, defineSync, readDefinitionInForce, type Sync, table } from '../../db/index.ts'
import type { TableStep } from '../../protocol/index.ts'
import type { Database } from '../../workers/database/index.ts'
import { createDatabase, type TestDatabase } from './create-database.ts'
import type { TestServer } from './test-server.ts'

/** A synced table of these columns; their types come from the catalogue. */
export function synced(
  name: string,
  columns: readonly string[],
  more: { hidden?: string[]; audience?: string; priority?: number } = {},
) {
  const made = pgTable(name, Object.fromEntries(columns.map((column) => [column, text(column)])))
  const named = made as unknown as Record<string, (typeof made._.columns)[string]>
  const audience = more.audience ? { column: named[more.audience] as never, prefix: 'org' } : ('all' as const)
  const { hidden, priority } = more
  return table(made, { audience, ...(hidden ? { hidden: hidden as never } : {}), ...(priority ? { priority } : {}) })
}

export const NOTE = ['id', 'org', 'title', 'rank']
export const carried = (names: readonly string[]) => names.map((name) => ({ name, from: name }))
export const note = (columns: readonly string[], more = {}) =>
  defineSync({ tables: { note: synced('note', columns, more) } })
export const step = (columns: TableStep['columns'], more: Partial<TableStep> = {}): TableStep => ({
  table: 'public.note',
  from: 'public.note',
  columns,
  ...more,
})

/** What a version says of the tables that it makes from those before. */
export interface FollowedMigration {
  readonly steps: readonly TableStep[]
  readonly stored: readonly TableStep[]
  /** Whether the rows of `note` hold by this version as by the one before. */
  readonly isKept: boolean
  readonly notes: string
}

/** A database in which a table `note` is altered by one migration after another. */
export interface StepDatabase {
  readonly owned: TestDatabase
  readonly database: Database
  /** Brings `note` to how it is before each case: five rows, in a file from which a column was dropped. */
  begin(sync?: Sync, more?: string): Promise<void>
  /** Runs a migration and puts in force what follows from it, as `migrate` does. */
  migrate(sync: Sync, ...statements: string[]): Promise<AppliedDefinition>
  follow(sync: Sync, ...statements: string[]): Promise<FollowedMigration>
  close(): Promise<void>
}

export async function openStepDatabase(server: TestServer): Promise<StepDatabase> {
  const owned = await createDatabase(server)
  const database = await owned.open()
  const migrate = (sync: Sync, ...statements: string[]) =>
    database.transaction(async ({ query }) => {
      const start = await readStart(query)
      await query('SET LOCAL search_path TO DEFAULT')
      let columns = await lookAtColumns(query, start)
      for (const text of statements)
        columns = await followRetypes(
          query,
          columns,
          { text, effect: effectOf(text) },
          async () => void (await query(text)),
        )
      return await applyDefinition(query, sync, { start: { ...start, retyped: columns.retyped } })
    })
  return {
    owned,
    database,
    migrate,
    begin: async (sync = note(NOTE), more = '') => {
      await owned.run(`
        DROP SCHEMA public CASCADE; CREATE SCHEMA public;
        CREATE TYPE state AS ENUM ('open', 'done');
        CREATE TABLE note (id int PRIMARY KEY, org text, gone text, title varchar(10), rank int, secret text);
        INSERT INTO note SELECT n, 'a', 'x', 't' || n, n FROM generate_series(1, 5) n;
        ALTER TABLE note DROP COLUMN gone; ${more}`)
      await migrate(sync)
    },
    follow: async (sync, ...statements) => {
      const before = await readDefinitionInForce(database.query)
      const applied = await migrate(sync, ...statements)
      const after = await readDefinitionInForce(database.query)
      const since = (of: typeof before) => of?.definition.tables.find(({ name }) => name === 'note')?.since
      const isKept = since(before) === since(applied)
      return { steps: applied.steps ?? [], stored: after?.steps ?? [], isKept, notes: applied.notes.join('\n') }
    },
    close: async () => {
      await database.close()
      await owned.drop()
    },
  }
}
