import { type MutationHistory, parsePgLsn, type Row, TidemarkError } from '../../protocol/index.ts'
import { asClient, type ClientIdentity, type Database } from '../database/index.ts'
import { readReferences } from './references.ts'
import { ISO, readBounds } from './row-history.ts'
import { columnsSince } from './rules/columns-since.ts'
import { readStamps, readVersionsSince } from './version-at.ts'

/** The changes of one mutation that are told; a patch has at most 2,000, an action may have more. */
const MOST_CHANGES = 5_000
const CHANGES = `
  SELECT m.lsn::text, m.table_name, m.row_key::text AS key, m.operation, m.data::text AS data, m.old_data::text AS before,
    ${ISO('m.committed_at')} AS at, m.schema_version::text AS version, m.is_told::text AS is_told
  FROM tidemark.mutation_history($1, $2, $3, $4::integer) AS m`

/**
 * Reads what one of the reader's own mutations changed, as far as they see it now.
 *
 * Throws `not-found` where there is no such mutation of theirs in the current history, and `limit-exceeded`.
 */
export async function readMutationHistory(
  database: Database,
  reader: ClientIdentity,
  mutation: string,
): Promise<MutationHistory> {
  const { epoch, from } = await readBounds(database.query)
  const client = mutation.slice(0, Math.max(0, mutation.lastIndexOf(':')))
  const params = [epoch, client, mutation, MOST_CHANGES + 1]
  const rows = await asClient(database, reader, ({ query }) => query(CHANGES, params), { readOnly: true })
  const told = rows.filter(({ lsn }) => lsn !== null)
  const [first] = told
  // At the floor a part of it may be pruned.
  if (!first?.lsn || parsePgLsn(first.lsn) <= from)
    throw new TidemarkError('not-found', 'Nothing of such a mutation of yours is in the history that is kept.')
  if (told.length > MOST_CHANGES)
    throw new TidemarkError('limit-exceeded', `The mutation changed more than ${MOST_CHANGES} rows.`)
  const { was, later } = await readVersionsSince(database.query, Number(first.version))
  const now = later.at(-1)?.definition ?? was
  const tables = new Map(now.tables.map((table) => [table.id, table]))
  const ids = [...new Set(told.map((row) => row.table_name ?? ''))]
  const since = new Map(ids.map((name) => [name, columnsSince(name, was, later)]))
  const stamps: Record<string, string[]> = {}
  for (const id of ids) {
    const table = tables.get(id)
    if (table) stamps[id] = await readStamps(database.query, table)
  }
  return {
    epoch,
    lsn: parsePgLsn(first.lsn),
    at: first.at ?? '',
    isWhole: told.length === rows.length && told.every(({ operation }) => operation !== 'truncate'),
    changes: told.flatMap((row) => {
      const { table_name: table = '', operation } = row
      if (operation !== 'insert' && operation !== 'update' && operation !== 'delete') return []
      const data: MutationHistory['changes'][number]['data'] = JSON.parse(row.data ?? 'null')
      const before: typeof data = JSON.parse(row.before ?? 'null')
      const key: Record<string, string | null> = JSON.parse(row.key ?? '{}')
      return [
        {
          table: table ?? '',
          key,
          operation,
          data,
          before,
          untold: [...new Set([...untoldOf(row, since.get(table ?? ''), before), ...unkept(operation, data, before)])],
        },
      ]
    }),
    stamps,
    references: await readReferences(
      database.query,
      ids.flatMap((id) => tables.get(id) ?? []),
      now.tables,
    ),
  }
}

/** Returns the columns of which history keeps no former value, so that they cannot be brought back. */
function unkept(operation: string, data: Row | null, before: Row | null): string[] {
  if (before !== null || operation === 'insert') return []
  return operation === 'delete' ? ['*'] : Object.keys(data ?? {})
}

/** A row that came is taken away whatever its columns are called; what is brought back must be said in those of now. */
function untoldOf(
  { operation, is_told: isTold }: Readonly<Record<string, string | null>>,
  since: ReturnType<typeof columnsSince> | undefined,
  before: Row | null,
): string[] {
  if (operation === 'insert') return since ? [] : ['*']
  if (!since) return ['*']
  const retyped = since.untold.filter(({ column, why }) => why === 'retyped' && Object.hasOwn(before ?? {}, column))
  const unsaid = since.untold.filter(({ why }) => why !== 'retyped').map(({ column }) => column)
  const lost = isTold === 'true' ? [] : operation === 'delete' ? unsaid : [...unsaid, ...since.gone]
  return [...new Set([...retyped.map(({ column }) => column), ...lost])]
}
