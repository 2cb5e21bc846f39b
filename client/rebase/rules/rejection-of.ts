import { $ZodError } from 'zod/v4/core'
import { ActionRefusal } from '../../../db/action.ts'
import type { Rejection } from '../../../protocol/index.ts'

/** An error as Postgres describes it. */
export interface DatabaseFault {
  /** SQLSTATE; `TMR04` where a row to change is not there. */
  readonly state: string
  readonly message: string
  readonly constraint: string | null
  /** Id of a synced table. */
  readonly table: string | null
}

/** Answers why a mutation could not be done again here, in the form in which a server would refuse it. */
export function rejectionOfFault({ state, message, constraint, table }: DatabaseFault): Rejection {
  const where = table === null ? {} : { table }
  if (state === 'TMR04')
    return { kind: 'missing-row', message: 'The row is deleted, or moved to where it is not seen.', ...where }
  if (state === '42501' || state === '25006') return { kind: 'forbidden', message, ...where }
  if (state.startsWith('23')) return { kind: 'constraint', message, ...where, ...(constraint ? { constraint } : {}) }
  if (state.startsWith('54')) return { kind: 'limit-exceeded', message }
  return { kind: 'invalid', message, ...where }
}

/** Matches how Postgres words a violation; a constraint that it does not name is one of a NULL. */
const VIOLATES = /violates (?:RESTRICT setting of )?(?:[a-z-]+ )+constraint(?: "(.+?)"(?: on table ".*")?)?$/m

/** Works as `rejectionOfFault`, for what an action threw. An error of PGlite crosses from its worker as words alone. */
export function rejectionOfThrown(error: unknown): Rejection {
  if (error instanceof ActionRefusal) {
    const { code, message, data } = error
    const json = jsonOf(data)
    return { kind: 'refused', message, code, ...(json === undefined ? {} : { data: json }) }
  }
  if (error instanceof $ZodError) return { kind: 'invalid', message: 'The arguments are not those of this action.' }
  const message = error instanceof Error ? error.message : String(error)
  const violation = VIOLATES.exec(message)
  const constraint = violation?.[1] ?? null
  const said = typeof error === 'object' && error !== null && 'code' in error ? error.code : null
  const state = typeof said === 'string' ? said : violation === null ? '' : '23000'
  return rejectionOfFault({ state, message, constraint, table: null })
}

/** Returns data as JSON has it; undefined where JSON has no form for it, as on the server. */
function jsonOf(data: unknown): Rejection['data'] {
  try {
    return JSON.parse(JSON.stringify(data))
  } catch {
    return undefined
  }
}
