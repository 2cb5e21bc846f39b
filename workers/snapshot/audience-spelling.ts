/** How a granted value stands to a column: as the column prints it, as another spelling of a value it may hold, or as none. */
export type Spelling = 'as printed' | 'otherwise' | 'unreadable'

export interface ColumnSpelling {
  /** Table id. */
  readonly table: string
  readonly column: string
  readonly spelling: Spelling
}

/**
 * What operators are told of an audience that was granted in a spelling that no row has; it has no rows there.
 *
 * What one column cannot read may be meant for another, of another type. The value itself is not told.
 */
export function tellSpellings(audience: string, found: readonly ColumnSpelling[]): string[] {
  const isMeant = found.some(({ spelling }) => spelling === 'as printed')
  const amiss = found.filter(({ spelling }) => spelling === 'otherwise' || (spelling === 'unreadable' && !isMeant))
  const prefix = audience.slice(0, audience.indexOf(':'))
  return amiss.map(
    ({ table, column, spelling }) =>
      `tidemark: an audience \`${prefix}:…\` was granted with a value that column ${column} of ${table} ` +
      `${spelling === 'otherwise' ? 'prints otherwise' : 'cannot hold'}, so it has no rows there. Grant it as Postgres prints it: ` +
      `SELECT format('%s', ${column}) FROM ${table}.`,
  )
}
