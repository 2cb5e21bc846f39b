import type { Rejection } from '../../../protocol/index.ts'

/** A mutation is tried at least this often and for at least this long before the next ones go on without it. */
export const PATIENCE = {
  /** The app's own code asks for another try, or fails by something that a migration under way may be about to bring. */
  soon: { tries: 3, ms: 5_000 },
  /** A statement took longer than it may, or was cancelled. */
  slow: { tries: 3, ms: 30_000 },
  /** Something beyond the database failed, or its files, while the session went on. */
  remote: { tries: 5, ms: 30_000 },
  /** A table is not as the definition in force says: a migration may be under way. */
  drift: { tries: 3, ms: 120_000 },
  /** Others hold locks, or have used up some resource. */
  busy: { tries: 5, ms: 180_000 },
  /** The session ended during the mutation: most likely because of the server, or the network. */
  cut: { tries: 10, ms: 600_000 },
} as const
export type Patience = keyof typeof PATIENCE

/**
 * The meaning of a database error for a mutation: refused for good, or to be tried again as long as that patience
 * lasts.
 */
export type Verdict = { readonly kind: 'rejected'; readonly rejection: Rejection } | Again

export interface Again {
  readonly kind: 'again'
  readonly patience: Patience
  /** Likely to be over within moments, so that the same push tries again. */
  readonly isBrief: boolean
}

/** An error, as Postgres reports it. */
export interface Told {
  /** Null for a connection that was cut, and for a failure in our own code. */
  readonly sqlState: string | null
  /** The function of the server's own source that raised it, the same in every language. */
  readonly routine: string | null
  /** True where the right that is lacking is one to a table that the statement itself names. */
  readonly isOfTable: boolean
  /** True where the session outlived the error: then it concerns this mutation, not the server. */
  readonly isAlive: boolean
}

const rejected = (kind: Rejection['kind'], message: string, more: Partial<Rejection> = {}): Verdict => ({
  kind: 'rejected',
  rejection: { kind, message, ...more },
})
const again = (patience: Patience, isBrief = false): Again => ({ kind: 'again', patience, isBrief })
/** The verdict on a statement that was cut short because it took the longest time allowed. */
export const TOO_SLOW = again('slow')

/** The routine of RAISE in PL/pgSQL, by which the app may give any SQLSTATE. */
const RAISE = 'exec_stmt_raise'
/** The routine by which row-level security refuses a row. */
const POLICY = 'ExecWithCheckOptions'
/** SQLSTATE classes of the app's own, and exceptions that its functions raise. */
const RAISED = /^(P0|[5-9I-OQ-WY-Z])/
const PASSING = /^(08...|53...|57...|58...|40...|55P03|55006|25006)$/

/**
 * Tells whether an SQLSTATE from outside a mutation, null for a connection that was cut, may be gone at the next try.
 */
export const isPassing = (sqlState: string | null): boolean => sqlState === null || PASSING.test(sqlState)

/** Judges an error within a mutation by who raised it and how; nothing of what Postgres said is in the verdict. */
export function verdictOf(told: Told): Verdict {
  const { sqlState, routine } = told
  if (!told.isAlive && routine !== RAISE) return again('cut', true)
  if (sqlState === null) return again('soon')
  if (/^23/.test(sqlState)) return rejected('constraint', 'A constraint of the database refuses this.')
  if (sqlState === '42501') return lackingRight(told)
  if (sqlState === '44000') return rejected('forbidden', 'You may not write this.')
  // A value for a column that the server alone numbers.
  if (sqlState === '428C9') return rejected('invalid', 'A column that the server fills in was given a value.')
  if (/^54/.test(sqlState)) return rejected('limit-exceeded', 'A value is larger than the database can hold.')
  const passing = verdictOfPassing(sqlState, routine === RAISE)
  if (passing) return passing
  if (RAISED.test(sqlState) || (routine === RAISE && !/^2/.test(sqlState))) return raised(sqlState)
  return rejected('invalid', 'The database cannot take these values.')
}

const raised = (code: string): Verdict =>
  rejected('refused', 'A trigger or function of the database refuses this write.', { code })

function verdictOfPassing(sqlState: string, isRaised: boolean): Verdict | null {
  // A function that raises these itself, or reads another server, asks to be called again.
  if (/^(40001|40003)$/.test(sqlState) || (isRaised && /^(40|55P03)/.test(sqlState))) return again('soon', true)
  if (isRaised) return /^(25006|55006)$|^(08|53|57|58)/.test(sqlState) ? raised(sqlState) : null
  if (/^(40...|55P03|55006|53...|25006)$/.test(sqlState)) return again('busy', true)
  if (sqlState === '57014') return TOO_SLOW
  if (/^(08|57|58)/.test(sqlState)) return again('remote', true)
  return /^(42|XX|F0|0A)/.test(sqlState) ? again('soon') : null
}

/**
 * Judges a lacking right: the refusal of a policy or a table is about rows; any other right is one that nobody has
 * granted the role yet.
 */
function lackingRight({ routine, isOfTable, sqlState }: Told): Verdict {
  if (routine === null || routine === RAISE || routine === POLICY || isOfTable)
    return rejected('forbidden', 'You may not write this.')
  const message = 'The database lacks a right that this write needs: its operator finds it with `tidemark doctor`.'
  return rejected('refused', message, { code: sqlState ?? '' })
}

/** Returns the rejection of a mutation once patience with it is over. */
export function refusalOf(patience: Patience, sqlState: string | null): Rejection {
  const code = sqlState === null ? {} : { code: sqlState }
  if (patience === 'slow') return { kind: 'limit-exceeded', message: 'This takes longer than a write may.', ...code }
  return { kind: 'refused', message: 'The database failed at this write again and again, so it was given up.', ...code }
}
