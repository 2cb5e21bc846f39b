/**
 * A granted value compared with a column: as the column prints it, another spelling of a value it may hold, or
 * unreadable.
 */
export type Spelling = 'as printed' | 'otherwise' | 'unreadable'

export interface ColumnSpelling {
  /** Table id. */
  readonly table: string
  readonly column: string
  readonly spelling: Spelling
}

/**
 * Words the warnings for operators about an audience that was granted in a spelling that no row has; it has no rows
 * there.
 *
 * A value that one column cannot read may be meant for another, of another type. The value itself is never logged.
 */
export function tellSpellings(audience: string, found: readonly ColumnSpelling[]): string[] {
  const isMeant = found.some(({ spelling }) => spelling === 'as printed')
  const amiss = found.filter(({ spelling }) => spelling === 'otherwise' || (spelling === 'unreadable' && !isMeant))
  const prefix = audience.slice(0, audience.indexOf(':'))
  return amiss.map(
    ({ table, column, spelling }) =>
      `An audience \`${prefix}:…\` was granted with a value that column ${column} of ${table} ` +
      `${spelling === 'otherwise' ? 'prints otherwise' : 'cannot hold'}, so it has no rows there. Grant it as Postgres prints it: ` +
      `SELECT format('%s', ${column}) FROM ${table}.`,
  )
}
