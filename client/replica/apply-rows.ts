import type { Row, Transaction } from '../../protocol/index.ts'
import { type ChangeStatement, presenceQuery, stageStatements } from '../store/change-statements.ts'
import type { Copy, Executor } from '../store/copies.ts'
import { foldChanges, type ReplicaChange } from '../store/fold-changes.ts'
import { keyText, type ReplicaTable } from '../store/replica-table.ts'
import { runStatement } from '../store/run-statement.ts'
import { fenceOf } from './join-fence.ts'
import { isLasting, TableFault } from './refused-tables.ts'
import { audienceOfColumn, isContested, joinedChanges, type Presence, unseenChanges } from './unseen-changes.ts'

/** Counts what an apply changed. */
export class Tally {
  rows = 0
  changes = 0

  add(other: Tally): void {
    this.rows += other.rows
    this.changes += other.changes
  }

  /** Counts changes that stand there already. */
  count(transactions: readonly Transaction[]): void {
    for (const { op } of transactions.flatMap(({ changes }) => changes)) {
      this.changes += 1
      this.rows += op === 'insert' ? 1 : op === 'delete' ? -1 : 0
    }
  }
}

/** Answers the one statement that brings changes about on a copy that has joined, and what it comes to; null where it takes another number. */
export function planStatement(
  copy: Copy,
  transactions: readonly Transaction[],
): { readonly statement: ChangeStatement; readonly tally: Tally } | null {
  const tally = new Tally()
  const folded = foldChanges(counted(joinedChanges(transactions, copy.joins), tally), copy.tables)
  const statements = [...folded].flatMap(([id, stages]) => {
    const table = copy.tables.get(id)
    return table ? stages.flatMap((stage) => stageStatements(table, stage)) : []
  })
  const [statement] = statements
  if (!statement || statements.length > 1 || statement.expectedRows === null) return null
  tally.rows += statement.countSign * statement.expectedRows
  return { statement, tally }
}

/** Applies the changes that the copy does not hold yet. Throws `TableFault` for a table that cannot take its rows. */
export async function applyRows(tx: Executor, copy: Copy, transactions: readonly Transaction[]): Promise<Tally> {
  const tally = new Tally()
  const folded = foldChanges(counted(await effectiveChanges(tx, copy, transactions), tally), copy.tables)
  for (const [id, stages] of folded) {
    const table = copy.tables.get(id)
    if (!table) continue
    for (const stage of stages) {
      for (const statement of stageStatements(table, stage)) tally.rows += await runOn(tx, table, statement)
    }
  }
  return tally
}

async function runOn(tx: Executor, table: ReplicaTable, statement: ChangeStatement): Promise<number> {
  try {
    return await runStatement(tx, table, statement)
  } catch (error) {
    throw isLasting(error) ? new TableFault(table.id, error) : error
  }
}

function* counted(changes: Iterable<ReplicaChange>, tally: Tally): Generator<ReplicaChange> {
  for (const change of changes) {
    tally.changes += 1
    yield change
  }
}

/** Answers the changes that the copy does not hold yet: all once it joined, else those no audience's snapshot shows. */
async function effectiveChanges(
  tx: Executor,
  copy: Copy,
  transactions: readonly Transaction[],
): Promise<Iterable<ReplicaChange>> {
  if (copy.stage !== 'window' && copy.stage !== 'joining') return joinedChanges(transactions, copy.joins)
  const fence = fenceOf(copy)
  const within = transactions.filter(({ lsn }) => lsn <= fence)
  const beyond = transactions.filter(({ lsn }) => lsn > fence)
  const presence = await readPresence(tx, copy, within)
  return concatenate(unseenChanges(within, copy.joins, copy.tables, presence), joinedChanges(beyond, copy.joins))
}

function* concatenate<Item>(...sources: Iterable<Item>[]): Generator<Item> {
  for (const source of sources) yield* source
}

async function readPresence(
  tx: Executor,
  copy: Copy,
  transactions: readonly Transaction[],
): Promise<Map<string, Presence>> {
  const wanted = new Map<ReplicaTable, Map<string, Row>>()
  for (const { changes } of transactions) {
    for (const change of changes) {
      const table = copy.tables.get(change.table)
      if (change.op === 'truncate' || !table || !isContested(table, copy.joins.keys())) continue
      const key = change.op === 'insert' ? change.data : change.key
      const keys = wanted.get(table) ?? new Map<string, Row>()
      wanted.set(table, keys.set(keyText(table, key), key))
    }
  }
  const presence = new Map<string, Presence>()
  for (const [table, keys] of wanted) presence.set(table.id, await presenceOf(tx, table, [...keys.values()]))
  return presence
}

async function presenceOf(tx: Executor, table: ReplicaTable, keys: readonly Row[]): Promise<Presence> {
  const { audience: rule } = table
  const present: Presence = new Map()
  if ('constant' in rule) return present
  const { text, parameter } = presenceQuery(table, rule.column, keys)
  const { rows } = await tx.query<Record<string, string>>(text, [parameter])
  for (const row of rows) {
    const key = Object.fromEntries(table.key.map((column, index) => [column.name, row[`k${index}`] ?? null]))
    present.set(keyText(table, key), audienceOfColumn(table, row.audience ?? null) ?? '')
  }
  return present
}
