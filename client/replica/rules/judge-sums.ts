/** What the rows of one audience in one table come to. */
export interface Sum {
  readonly rows: number
  /** In decimal. */
  readonly digest: string
}

/** Maps audiences to what their rows of one table come to; one without rows is not there. */
export type TableSums = ReadonlyMap<string, Sum>

/** `moving`: the table changed while it was looked at, which says nothing. */
type SumsVerdict = 'alike' | 'moving' | 'differs'

export function areAlike(one: TableSums, other: TableSums): boolean {
  if (one.size !== other.size) return false
  return [...one].every(([audience, sum]) => {
    const same = other.get(audience)
    return same !== undefined && same.rows === sum.rows && same.digest === sum.digest
  })
}

/**
 * Judges a table by its sums here before the server's were read, and again once everything that those hold has come: a table that
 * did not change in between stands as it stood at the server's moment. `isExact`: the server's moment is a place in the log.
 */
export function judgeSums(server: TableSums, before: TableSums, after: TableSums, isExact: boolean): SumsVerdict {
  if (areAlike(server, before) || areAlike(server, after)) return 'alike'
  return isExact && areAlike(before, after) ? 'differs' : 'moving'
}
