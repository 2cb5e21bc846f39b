/** What a collection is to be told, so that it holds these rows: whole rows, and of each key what is right for it. */
export type SyncedWrite<Row, Key> =
  | { readonly type: 'insert' | 'update'; readonly value: Row }
  | { readonly type: 'delete'; readonly key: Key }

/** Compares rows with those that a collection holds; `held` is brought up to date. Of two rows of a key the last counts. */
export function syncedWrites<Row, Key>(
  held: Map<Key, Row>,
  rows: readonly Row[],
  keyOf: (row: Row) => Key,
): SyncedWrite<Row, Key>[] {
  const now = new Map(rows.map((row) => [keyOf(row), row]))
  const writes: SyncedWrite<Row, Key>[] = []
  for (const key of held.keys()) if (!now.has(key)) writes.push({ type: 'delete', key })
  for (const [key, value] of now) {
    // A row that stayed as it was is the same object.
    if (held.get(key) === value) continue
    // An update of a key that the collection does not hold would make half a row.
    writes.push({ type: held.has(key) ? 'update' : 'insert', value })
  }
  held.clear()
  for (const [key, row] of now) held.set(key, row)
  return writes
}
