import { isAudienceLeft, type PatchRow, quoteIdentifier, type Rejection } from '../../protocol/index.ts'
import { type ChangeStatement, deleteStatement, updateStatement } from '../store/change-statements.ts'
import type { ReplicaTable, ReplicaTables } from '../store/replica-table.ts'
import type { RedoStep } from '../store/rows/redo-patches.ts'

type RowOf<Op extends PatchRow['o']> = Extract<PatchRow, { readonly o: Op }>

/** Answers the statements of a patch, neighbours of one shape in one, or why these tables cannot take it at all. */
export function redoSteps(
  patch: readonly PatchRow[],
  tables: ReplicaTables,
  isHeld: (audience: string) => boolean,
): { readonly steps: readonly RedoStep[] } | { readonly rejection: Rejection } {
  const steps: RedoStep[] = []
  for (const group of groupsOf(patch)) {
    const [first] = group
    if (!first) continue
    const table = tables.get(first.t)
    const columns = 'd' in first ? Object.keys(first.d) : []
    if (!table || !columns.every((name) => table.columnByName.has(name)))
      return { rejection: { kind: 'outdated-schema', message: 'The synced tables are others by now.' } }
    const isLeft = isAudienceLeft(table.definition)
    const foreign = group.find(({ a }) => !(isHeld(a) || (isLeft && a === '')))
    if (foreign) {
      const message = 'This row is of an audience that this replica does not hold.'
      return { rejection: { kind: 'forbidden', message, table: foreign.t, key: foreign.k } }
    }
    const { text, parameter, expectedRows } = statementOf(table, group, columns)
    const inserts = first.o === 'i' && table.columns.some(({ leased }) => leased !== undefined)
    steps.push({ table: table.id, text, parameter, expected: first.o === 'd' ? null : expectedRows, inserts })
  }
  return { steps }
}

function groupsOf(patch: readonly PatchRow[]): PatchRow[][] {
  const groups: PatchRow[][] = []
  let shape = ''
  for (const row of patch) {
    const next = JSON.stringify([row.o, row.t, 'd' in row ? Object.keys(row.d) : []])
    if (next === shape) groups.at(-1)?.push(row)
    else groups.push([row])
    shape = next
  }
  return groups
}

function statementOf(table: ReplicaTable, group: readonly PatchRow[], columns: readonly string[]): ChangeStatement {
  const deletes = group.filter((row): row is RowOf<'d'> => row.o === 'd')
  if (deletes.length > 0) {
    const keys = deletes.map(({ k }) => k)
    return deleteStatement(table, keys)
  }
  const updates = group.filter((row): row is RowOf<'u'> => row.o === 'u')
  if (updates.length > 0) {
    const changes = updates.map(({ k, d }) => ({ key: k, row: d }))
    return updateStatement(table, table.name, { columns, updates: changes })
  }
  const keys = table.key.map(({ name }) => quoteIdentifier(name))
  // The row may have come meanwhile: the insert writes over it, until the server decides.
  const over = columns.map((name) => {
    const [column, its] = [quoteIdentifier(name), `excluded.${quoteIdentifier(name)}`]
    return `${column} = ${table.columnByName.get(name)?.serverDefault ? `coalesce(${its}, t.${column})` : its}`
  })
  const names = columns.map(quoteIdentifier)
  const values = columns.map((name) => `x.${quoteIdentifier(name)}::${table.columnByName.get(name)?.type}`)
  const fields = names.map((name) => `${name} text`).join(', ')
  return {
    text: `INSERT INTO ${table.name} AS t (${names.join(', ')}) SELECT ${values.join(', ')}
      FROM json_to_recordset($1::text::json) AS x(${fields}) ON CONFLICT (${keys.join(', ')}) DO UPDATE SET ${over.join(', ')}`,
    parameter: JSON.stringify(group.map((row) => ('d' in row ? row.d : {}))),
    expectedRows: group.length,
    countSign: 1,
  }
}
