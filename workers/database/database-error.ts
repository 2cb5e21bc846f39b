import { type ErrorKind, TidemarkError } from '../../protocol/index.ts'

/**
 * The cause of every error of the database; `sqlState` is null where the connection failed before Postgres could
 * answer.
 */
class DatabaseFault extends Error {
  override readonly name = 'DatabaseFault'
  readonly sqlState: string | null

  constructor(message: string, sqlState: string | null, options?: { cause?: unknown }) {
    super(message, options)
    this.sqlState = sqlState
  }
}

/** The SQLSTATEs that the code refers to by name. */
export const SQL_STATE = {
  activeSqlTransaction: '25001',
  unsafeNewEnumValue: '55P04',
  undefinedObject: '42704',
  undefinedFunction: '42883',
  undefinedParameter: '42P02',
  invalidTransactionTermination: '2D000',
  duplicateObject: '42710',
  insufficientPrivilege: '42501',
  objectInUse: '55006',
  objectNotInPrerequisiteState: '55000',
  lockNotAvailable: '55P03',
  deadlockDetected: '40P01',
  queryCanceled: '57014',
  uniqueViolation: '23505',
  /** Raised by our own functions: a migration has put another definition in force meanwhile. */
  anotherDefinition: 'TM002',
} as const

/**
 * Connection faults, shutdown, too many connections, timeouts, deadlocks, a slot in use: worth another try unchanged.
 */
const TRANSIENT = /^(08...|53...|57P..|57014|55P03|55006|40001|40P01)$/
/** Wrong password, unknown database or role. */
const REFUSED_LOGIN = /^(28...|3D000)$/

function textOf(error: unknown): string {
  if (error instanceof Error) return error.message
  if (typeof error === 'object' && error !== null && 'message' in error) return String(error.message)
  return 'connection failed'
}

/**
 * Wraps an error of the driver: `unavailable` where another try may help, `misconfigured` where the login is refused,
 * else `internal`. The message names no value; Postgres' own message stands in the cause.
 */
export function toDatabaseError(error: unknown): TidemarkError {
  if (error instanceof TidemarkError) return error
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null
  const sqlState = typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : null
  const cause = new DatabaseFault(textOf(error), sqlState, { cause: error })
  const [kind, message] = describe(sqlState)
  return new TidemarkError(kind, message, { cause })
}

/** Finds an answer of Postgres among an error and what caused it, as ORMs wrap theirs; the error itself where there is none. */
export function asDatabaseError(error: unknown): unknown {
  for (let at = error; typeof at === 'object' && at !== null; at = 'cause' in at ? at.cause : null) {
    if (at instanceof TidemarkError) return at
    if ('severity' in at && 'code' in at) return toDatabaseError(at)
  }
  return error
}

function describe(sqlState: string | null): [ErrorKind, string] {
  if (sqlState === null) return ['unavailable', 'The connection to the database failed or was cut.']
  if (TRANSIENT.test(sqlState)) return ['unavailable', `The database is busy or going away (SQLSTATE ${sqlState}).`]
  if (REFUSED_LOGIN.test(sqlState)) {
    return ['misconfigured', `The database refused the login (SQLSTATE ${sqlState}); check DATABASE_URL.`]
  }
  return ['internal', `The database refused a statement (SQLSTATE ${sqlState}).`]
}

/** Returns the SQLSTATE of an error of this folder; null for any other error. */
export function sqlStateOf(error: unknown): string | null {
  return error instanceof TidemarkError && error.cause instanceof DatabaseFault ? error.cause.sqlState : null
}

/** Returns Postgres' own message, for operators; it may hold values, so it never reaches a client. */
export function databaseMessageOf(error: unknown): string | null {
  return error instanceof TidemarkError && error.cause instanceof DatabaseFault ? error.cause.message : null
}
