import type { Rejection } from '../../../protocol/index.ts'

/** What an error of the database means for a mutation: refused for good, to be tried again, or a fault of ours or the app's. */
export type Verdict =
  | { readonly kind: 'rejected'; readonly rejection: Rejection }
  | { readonly kind: 'transient' }
  | { readonly kind: 'fault' }

const rejected = (kind: Rejection['kind'], message: string, more: Partial<Rejection> = {}): Verdict => ({
  kind: 'rejected',
  rejection: { kind, message, ...more },
})

/** Connection, resources, shutdown, serialization, deadlock, a lock or a statement that took too long, a server that only reads. */
const TRANSIENT = /^(08...|53...|57...|58...|40...|55P03|55006|25006)$/
/** Own classes of the app's, and exceptions that its functions raise. */
const RAISED = /^(P0|[5-9I-OQ-WY-Z])/
/** Ours: a schema that is not the definition's, or the server itself. */
const FAULT = /^(42|XX|F0|0A)/

/** Judges an SQLSTATE; null is a connection that was cut. Nothing of what Postgres said is in it. */
export function verdictOf(sqlState: string | null): Verdict {
  if (sqlState === null || TRANSIENT.test(sqlState)) return { kind: 'transient' }
  if (/^23/.test(sqlState)) return rejected('constraint', 'A constraint of the database refuses this.')
  if (sqlState === '42501' || sqlState === '44000') return rejected('forbidden', 'This is not open to you.')
  // A value for a column that the server alone numbers.
  if (sqlState === '428C9') return rejected('invalid', 'A column that the server fills in was given a value.')
  if (/^54/.test(sqlState)) return rejected('limit-exceeded', 'A value is larger than the database can hold.')
  if (FAULT.test(sqlState)) return { kind: 'fault' }
  if (RAISED.test(sqlState)) return rejected('refused', 'The database refuses this.', { code: sqlState })
  return rejected('invalid', 'The database cannot take these values.')
}
