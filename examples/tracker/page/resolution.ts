import type { FailedRow } from 'tidemark/client'

export type Choice = { readonly take: 'mine' | 'theirs' } | { readonly take: 'other'; readonly value: string | null }

/** By column; what nobody decided is mine. */
export type Resolution = Readonly<Record<string, Choice>>

const MINE: Choice = { take: 'mine' }

export const choiceOf = (resolution: Resolution, column: string): Choice => resolution[column] ?? MINE

/** The values to write, or whose version it is in every field. */
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
