import type { EncodedTransaction } from '../../encoded-change.ts'

/** Selects what one subscriber is told of these transactions; those without anything for it are left out. */
export function selectChanges(
  audiences: ReadonlySet<string>,
  transactions: readonly EncodedTransaction[],
): EncodedTransaction[] {
  const selected: EncodedTransaction[] = []
  for (const transaction of transactions) {
    const changes = transaction.changes.filter(({ audience }) => audience === null || audiences.has(audience))
    if (changes.length > 0) selected.push({ ...transaction, changes })
  }
  return selected
}
