import {
  clientAudience,
  decodeChange,
  encodeChange,
  isClientAudience,
  type Transaction,
  type WireChange,
} from '../protocol/index.ts'
import type { EncodedTransaction } from '../workers/encoded-change.ts'

/** Encodes a transaction as capture would deliver it. */
export function encodeTransaction({ lsn, xid, committedAt: at, changes, mutation }: Transaction): EncodedTransaction {
  const encoded = changes.map((change) => ({
    audience: change.audience,
    text: JSON.stringify(encodeChange(change)),
  }))
  if (!mutation) return { lsn, xid, at, changes: encoded }
  const { client, ...kept } = mutation
  return { lsn, xid, at, changes: [{ audience: clientAudience(client), text: JSON.stringify(kept) }, ...encoded] }
}

/** Decodes a transaction that was delivered, with its mutation where one came with it. */
function decodeTransaction({ lsn, xid, at, changes }: EncodedTransaction): Transaction {
  const isMutation = ({ audience }: { readonly audience: string | null }) =>
    audience !== null && isClientAudience(audience)
  const [first] = changes
  const decoded = changes
    .filter((change) => !isMutation(change))
    .map(({ text }) => decodeChange(JSON.parse(text) as WireChange))
  const told = { lsn, xid, committedAt: at, changes: decoded }
  if (!first || !isMutation(first)) return told
  const client = (first.audience ?? '').slice(clientAudience('').length)
  return { ...told, mutation: { client, ...JSON.parse(first.text) } }
}

/** Decodes all transactions that deliveries brought, in order. */
export const transactionsOf = (
  deliveries: readonly { readonly transactions: readonly EncodedTransaction[] | null }[],
): Transaction[] => deliveries.flatMap(({ transactions }) => transactions ?? []).map(decodeTransaction)

/** Answers the ids of the rows that transactions insert, in order, with false for every other change. */
export const insertedIds = (transactions: readonly Transaction[]) =>
  transactions.flatMap(({ changes }) => changes.map((change) => change.op === 'insert' && change.data.id))
