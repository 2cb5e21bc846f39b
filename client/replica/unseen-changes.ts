import {
  audienceOf,
  isVisibleIn,
  type Lsn,
  type PgSnapshot,
  TidemarkError,
  type Transaction,
} from '../../protocol/index.ts'
import type { AudienceJoin, AudienceJoins } from '../store/copies.ts'
import type { ReplicaChange } from '../store/fold-changes.ts'
import { keyText, type ReplicaTable, type ReplicaTables, tableOf } from '../store/replica-table.ts'

/** Row key → the audience of the row that is there. */
export type Presence = Map<string, string>

/** Answers whether an audience's snapshot holds a transaction's changes; past its fence it never does. */
export function isInSnapshot(join: AudienceJoin, transaction: { readonly lsn: Lsn; readonly xid: string }): boolean {
  if (transaction.lsn <= join.start) return true
  return transaction.lsn <= join.fence && isVisibleIn(join.snapshot, transaction.xid)
}

/** Orders snapshots of one database by time: the one that shows more was taken later. */
export function compareSnapshots(a: PgSnapshot, b: PgSnapshot): number {
  if (a.xmax !== b.xmax) return a.xmax < b.xmax ? -1 : 1
  return b.inProgress.size - a.inProgress.size
}

const hasPrefix = (audience: string, table: ReplicaTable) =>
  'column' in table.audience && audience.startsWith(`${table.audience.prefix}:`)

/** Answers the audiences that a table's rows may belong to here. */
export function audiencesOfTable(table: ReplicaTable, audiences: Iterable<string>): string[] {
  const { audience: rule } = table
  if ('constant' in rule) return [...audiences].filter((audience) => audience === rule.constant)
  return [...audiences].filter((audience) => hasPrefix(audience, table))
}

/**
 * Answers whether a row of this table may have moved between two snapshots held here, so that both or neither hold it.
 *
 * Only then must changes be weighed by the row that is there; elsewhere a snapshot's own visibility decides alone.
 */
export function isContested(table: ReplicaTable, audiences: Iterable<string>): boolean {
  return audiencesOfTable(table, audiences).length > 1
}

/**
 * Yields, in order, the changes of transactions that the copy does not hold yet.
 *
 * `presence` is, per contested table, the audience of each row that the changes touch; it is kept up to date here. Throws
 * `rehydrate-required` where a row is missing or in the way and no other snapshot explains it.
 */
export function* unseenChanges(
  transactions: Iterable<Transaction>,
  joins: AudienceJoins,
  tables: ReplicaTables,
  presence: ReadonlyMap<string, Presence>,
): Generator<ReplicaChange> {
  for (const transaction of transactions) {
    const shownTo = new Map([...joins.values()].map((join) => [join.audience, isInSnapshot(join, transaction)]))
    for (const change of transaction.changes) {
      if (change.op === 'truncate') {
        const audiences = audiencesOfTable(tableOf(tables, change.table), joins.keys()).filter(
          (name) => !shownTo.get(name),
        )
        if (audiences.length === 0) continue
        const rows = presence.get(change.table)
        for (const [key, audience] of rows ?? []) if (audiences.includes(audience)) rows?.delete(key)
        yield { op: 'truncate', table: change.table, audiences }
        continue
      }
      const shown = shownTo.get(change.audience)
      if (shown === undefined) throw unknownAudience(change.table)
      if (shown) continue
      const rows = presence.get(change.table)
      if (!rows || weighChange(change, tableOf(tables, change.table), rows, shownTo)) yield change
    }
  }
}

type RowChange = Exclude<Transaction['changes'][number], { op: 'truncate' }>

/** Answers whether a change of a contested table takes effect; not where another audience's snapshot overtook it. */
function weighChange(
  change: RowChange,
  table: ReplicaTable,
  rows: Presence,
  shownTo: ReadonlyMap<string, boolean>,
): boolean {
  const key = keyText(table, change.op === 'insert' ? change.data : change.key)
  const owner = rows.get(key)
  const expected = change.op === 'insert' ? undefined : change.audience
  if (owner === expected) {
    if (change.op === 'insert') rows.set(key, change.audience)
    if (change.op === 'delete') rows.delete(key)
    return true
  }
  if (owner !== undefined && owner !== change.audience && shownTo.get(owner)) return false
  const what = owner === undefined ? 'lacks a row that it changes' : 'holds a row that it inserts or changes elsewhere'
  throw new TidemarkError('rehydrate-required', `The replica ${what}, in ${change.table}, and no snapshot explains it.`)
}

/** Yields the changes for a copy that has joined: all of them, as they are. */
export function* joinedChanges(transactions: Iterable<Transaction>, joins: AudienceJoins): Generator<ReplicaChange> {
  for (const { changes } of transactions) {
    for (const change of changes) {
      if (change.op === 'truncate') yield { op: 'truncate', table: change.table, audiences: null }
      else if (joins.has(change.audience)) yield change
      else throw unknownAudience(change.table)
    }
  }
}

function unknownAudience(table: string): TidemarkError {
  return new TidemarkError(
    'corrupt',
    `The server sent a change of ${table} for an audience that this replica does not hold.`,
  )
}

/** Answers the audience of a table's row, by the text of its audience column. */
export function audienceOfColumn(table: ReplicaTable, value: string | null): string | null {
  const { audience: rule } = table
  return 'constant' in rule ? rule.constant : audienceOf(rule, { [rule.column]: value })
}
