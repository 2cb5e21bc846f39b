import type { Rejection } from '../../../protocol/index.ts'

/** How often, and for how long at least, a mutation is tried again before the next ones go on without it. */
export const PATIENCE = {
  /** The app's own code asks for another try, or fails by something that a migration under way may be about to bring. */
  soon: { tries: 3, ms: 5_000 },
  /** A statement takes longer than it may, or was cancelled. */
  slow: { tries: 3, ms: 30_000 },
  /** Something beyond the database failed, or its files, while the session went on. */
  remote: { tries: 5, ms: 30_000 },
  /** A table is not as the definition in force says: a migration may be under way. */
  drift: { tries: 3, ms: 120_000 },
  /** Others hold locks, or took what resources there are. */
  busy: { tries: 5, ms: 180_000 },
  /** The session ended within it: most likely the server's doing, or the network's. */
  cut: { tries: 10, ms: 600_000 },
} as const
export type Patience = keyof typeof PATIENCE

/** What an error of the database means for a mutation: refused for good, or to be tried again as long as that patience lasts. */
export type Verdict = { readonly kind: 'rejected'; readonly rejection: Rejection } | Again

export interface Again {
  readonly kind: 'again'
  readonly patience: Patience
  /** Likely over within moments, so that the same push tries again. */
  readonly isBrief: boolean
}

/** An error, as Postgres tells it. */
export interface Told {
  /** Null of a connection that was cut, and of what failed in our own code. */
  readonly sqlState: string | null
  /** The function of the server's own source that raised it, the same in every language. */
  readonly routine: string | null
  /** Where a right is lacking: whether it is one to a table that the statement itself names. */
  readonly isOfTable: boolean
  /** Whether the session outlived it: then it concerns this mutation, not the server. */
  readonly isAlive: boolean
}

const rejected = (kind: Rejection['kind'], message: string, more: Partial<Rejection> = {}): Verdict => ({
  kind: 'rejected',
  rejection: { kind, message, ...more },
})
const again = (patience: Patience, isBrief = false): Again => ({ kind: 'again', patience, isBrief })
/** The verdict on a statement that was cut short because it took as long as one may. */
export const TOO_SLOW = again('slow')

/** RAISE in PL/pgSQL, by which the app may give any SQLSTATE. */
const RAISE = 'exec_stmt_raise'
/** By which row-level security refuses a row. */
const POLICY = 'ExecWithCheckOptions'
/** Own classes of the app's, and exceptions that its functions raise. */
const RAISED = /^(P0|[5-9I-OQ-WY-Z])/
const PASSING = /^(08...|53...|57...|58...|40...|55P03|55006|25006)$/

/** Whether an SQLSTATE told outside a mutation, null of a connection that was cut, may be gone at the next try. */
export const isPassing = (sqlState: string | null): boolean => sqlState === null || PASSING.test(sqlState)

/** Judges an error within a mutation by who raised it and how; nothing of what Postgres said is in the verdict. */
export function verdictOf(told: Told): Verdict {
  const { sqlState, routine } = told
  if (!told.isAlive && routine !== RAISE) return again('cut', true)
  if (sqlState === null) return again('soon')
  if (/^23/.test(sqlState)) return rejected('constraint', 'A constraint of the database refuses this.')
  if (sqlState === '42501') return lackingRight(told)
  if (sqlState === '44000') return rejected('forbidden', 'This is not open to you.')
  // A value for a column that the server alone numbers.
  if (sqlState === '428C9') return rejected('invalid', 'A column that the server fills in was given a value.')
  if (/^54/.test(sqlState)) return rejected('limit-exceeded', 'A value is larger than the database can hold.')
  const passing = verdictOfPassing(sqlState, routine === RAISE)
  if (passing) return passing
  if (RAISED.test(sqlState) || (routine === RAISE && !/^2/.test(sqlState))) return raised(sqlState)
  return rejected('invalid', 'The database cannot take these values.')
}

const raised = (code: string): Verdict => rejected('refused', 'The database refuses this.', { code })

function verdictOfPassing(sqlState: string, isRaised: boolean): Verdict | null {
  // Who raises these himself, or reads another server, asks to be called again.
  if (/^(40001|40003)$/.test(sqlState) || (isRaised && /^(40|55P03)/.test(sqlState))) return again('soon', true)
  if (isRaised) return /^(25006|55006)$|^(08|53|57|58)/.test(sqlState) ? raised(sqlState) : null
  if (/^(40...|55P03|55006|53...|25006)$/.test(sqlState)) return again('busy', true)
  if (sqlState === '57014') return TOO_SLOW
  if (/^(08|57|58)/.test(sqlState)) return again('remote', true)
  return /^(42|XX|F0|0A)/.test(sqlState) ? again('soon') : null
}

/** A policy's or a table's refusal is about rows; another right is one that nobody gave the role yet. */
function lackingRight({ routine, isOfTable, sqlState }: Told): Verdict {
  if (routine === null || routine === RAISE || routine === POLICY || isOfTable)
    return rejected('forbidden', 'This is not open to you.')
  const message = 'The database lacks a right that this write needs: whoever runs it finds it by `tidemark doctor`.'
  return rejected('refused', message, { code: sqlState ?? '' })
}

/** How a mutation is refused once patience with it is over. */
export function refusalOf(patience: Patience, sqlState: string | null): Rejection {
  const code = sqlState === null ? {} : { code: sqlState }
  if (patience === 'slow') return { kind: 'limit-exceeded', message: 'This takes longer than a write may.', ...code }
  return { kind: 'refused', message: 'The database keeps failing at this.', ...code }
}
