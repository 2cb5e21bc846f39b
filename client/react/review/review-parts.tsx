import type { ComponentType } from 'react'
import type { FailedRow, Failure } from '../../mutations/mutation.ts'

/** The value of one column; values are Postgres' text. */
export interface ValueProps {
  readonly column: string
  readonly value: string | null
  readonly row: FailedRow
}

/** What an app says in its own words about changes that were refused; whatever it leaves out has plain ones. */
export interface ReviewParts {
  /** What was attempted. Default: the action's name, or what was to happen to which table. */
  readonly Attempt?: ComponentType<{ readonly failure: Failure }>
  /** Why it was refused. Default: the message of the rejection. */
  readonly Reason?: ComponentType<{ readonly failure: Failure }>
  /** A value, as people read it. Default: its text. */
  readonly Value?: ComponentType<ValueProps>
  /** A field for another value. Default: a text field. */
  readonly Editor?: ComponentType<ValueProps & { readonly onChange: (value: string | null) => void }>
  /** Words a column. Default: its name. */
  readonly columnWord?: (column: string) => string
  /** Leaves columns out that mean nothing to people. Default: those of the key. */
  readonly isShown?: (column: string, row: FailedRow) => boolean
  /** Lets a column be written by hand. Default: every one. */
  readonly isEditable?: (column: string, row: FailedRow) => boolean
}

const VERBS = { insert: 'Adding to', update: 'Changing', delete: 'Deleting from' } as const

export const PLAIN_PARTS: Required<ReviewParts> = {
  Attempt: ({ failure: { action, rows } }) => {
    const [first] = rows
    return action?.name ?? (first ? `${VERBS[first.op]} ${first.table.replace(/^public\./, '')}` : 'A change')
  },
  Reason: ({ failure }) => failure.rejection.message,
  Value: ({ value }) => <span>{value ?? 'empty'}</span>,
  Editor: ({ value, onChange }) => (
    <input
      type="text"
      aria-label="Another value"
      value={value ?? ''}
      onChange={(event) => onChange(event.target.value)}
    />
  ),
  columnWord: (column) => column.replaceAll('_', ' '),
  isShown: (column, { key }) => !Object.hasOwn(key, column),
  isEditable: () => true,
}
