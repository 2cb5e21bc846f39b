import {
  type Change,
  clientAudience,
  type Row,
  type Transaction,
  type TransactionMutation,
} from '../../../protocol/index.ts'
import type { HistoryRow } from './to-changes.ts'

const parseRow = (text: string | null): Row => JSON.parse(text ?? '{}')

/** A stored row as it travels; null of one that nobody is told. */
export function toChange(row: HistoryRow): Change | null {
  const { table, audience } = row
  if (row.operation === 'truncate') return { op: 'truncate', table, audience: null }
  if (audience === null) return null
  switch (row.operation) {
    case 'insert':
      return { op: 'insert', table, audience, data: parseRow(row.data) }
    case 'update':
      return { op: 'update', table, audience, key: parseRow(row.key), data: parseRow(row.data) }
    case 'delete':
      return { op: 'delete', table, audience, key: parseRow(row.key) }
    case 'definition':
    case 'rights':
    case 'mutation':
      return null
  }
}

/** The mutation that a stored row begins its transaction with; null of any other row. */
export function toMutation(row: HistoryRow): TransactionMutation | null {
  if (row.operation !== 'mutation') return null
  const { client_id: client } = parseRow(row.key)
  return client ? { client, ...JSON.parse(row.data ?? '{}') } : null
}

/** What one subscriber is told of these transactions; those without anything for it are left out. */
export function selectFor(audiences: ReadonlySet<string>, transactions: readonly Transaction[]): Transaction[] {
  const selected: Transaction[] = []
  for (const transaction of transactions) {
    const { mutation, ...rest } = transaction
    const changes = transaction.changes.filter((change) => change.audience === null || audiences.has(change.audience))
    if (mutation && audiences.has(clientAudience(mutation.client))) selected.push({ ...rest, changes, mutation })
    else if (changes.length > 0) selected.push({ ...rest, changes })
  }
  return selected
}
