/** The rows that an unsettled mutation wrote, as ids. */
export interface Touched {
  readonly counter: number
  readonly rows: readonly string[]
}

/**
 * Answers the mutations to undo, so that the rows of these changes are as the server left them: those that wrote one of
 * them, those that `from` names, and every later one that shares a row with one of those.
 *
 * Mutations come in counter order. Earlier sharers stay: undoing goes backwards and does not reach them.
 */
export function mutationsToUndo(
  mutations: readonly Touched[],
  touches: (row: string) => boolean,
  from: ReadonlySet<number>,
): Set<number> {
  const undone = new Set<number>()
  const shared = new Set<string>()
  for (const { counter, rows } of mutations) {
    if (!from.has(counter) && !rows.some((row) => shared.has(row) || touches(row))) continue
    undone.add(counter)
    for (const row of rows) shared.add(row)
  }
  return undone
}
