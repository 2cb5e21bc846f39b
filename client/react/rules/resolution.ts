import type { FailedRow, Failure } from '../../mutations/mutation.ts'

export type Choice = { readonly take: 'mine' | 'theirs' } | { readonly take: 'other'; readonly value: string | null }

/** Choices by column; a column that nobody decided keeps mine. */
export type Resolution = Readonly<Record<string, Choice>>

const MINE: Choice = { take: 'mine' }

export const choiceOf = (resolution: Resolution, column: string): Choice => resolution[column] ?? MINE

/** Puts the server's row of the refusal into the rows of a refused change: the stream may bring it here only later. */
export function withTheirs({ rows, rejection }: Pick<Failure, 'rows' | 'rejection'>): readonly FailedRow[] {
  const { table, key, row: theirs } = rejection
  if (!theirs) return rows
  return rows.map((row) => {
    const isMeant = row.table === table && JSON.stringify(row.key) === JSON.stringify(key)
    return isMeant ? { ...row, server: { ...row.server, ...theirs } } : row
  })
}

/** Returns the values to write, or whose version it is in every field. */
export function resolvedValues(
  { local, server }: Pick<FailedRow, 'local' | 'server'>,
  resolution: Resolution,
): 'mine' | 'theirs' | Record<string, string | null> {
  const columns = Object.keys(local ?? {})
  const taken = columns.map((column) => choiceOf(resolution, column).take)
  if (taken.every((take) => take === 'mine')) return 'mine'
  if (taken.every((take) => take === 'theirs')) return 'theirs'
  return Object.fromEntries(
    columns.map((column) => {
      const choice = choiceOf(resolution, column)
      if (choice.take === 'other') return [column, choice.value]
      return [column, (choice.take === 'mine' ? local : server)?.[column] ?? null]
    }),
  )
}
