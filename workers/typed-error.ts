import { ERROR_RULES, type ErrorKind, TidemarkError } from '../protocol/index.ts'
import { sqlStateOf } from './database/index.ts'

function isKind(kind: unknown): kind is ErrorKind {
  return typeof kind === 'string' && Object.hasOwn(ERROR_RULES, kind)
}

/** Kinds whose messages are for operators; a client is told no more than that something failed. */
const FOR_OPERATORS: ReadonlySet<ErrorKind> = new Set(['internal', 'misconfigured', 'schema-drift'])
/** How the runtime begins the message of an error of ours that came from another object. */
const REMOTE = 'TidemarkError: '

/**
 * The error as a client may see it. Errors of another Durable Object come without their class, with the kind kept as a
 * property; whatever has no kind is `internal` and its text stays here.
 */
export function errorFrom(error: unknown): TidemarkError {
  const kind = kindOf(error)
  if (FOR_OPERATORS.has(kind)) {
    return new TidemarkError(kind, 'Something failed on the server; try again later.', { cause: error })
  }
  if (error instanceof TidemarkError) return error
  const message = error instanceof Error ? error.message.replace(REMOTE, '') : 'Refused.'
  return new TidemarkError(kind, message, { cause: error })
}

/** Whether it is an error of ours, also one that came from another object. */
export const isTyped = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'kind' in error && isKind(error.kind)

function kindOf(error: unknown): ErrorKind {
  if (typeof error !== 'object' || error === null) return 'internal'
  if ('kind' in error && isKind(error.kind)) return error.kind
  // Its kind is lost where its cause cannot be copied: a connection's fault, which may pass.
  return error instanceof Error && error.message.startsWith(REMOTE) ? 'unavailable' : 'internal'
}

/** The error as another Durable Object is to get it: without a cause that might keep it from being copied. */
export function forRemote(error: unknown): unknown {
  return error instanceof TidemarkError ? new TidemarkError(error.kind, error.message) : error
}

/** Logs once, at an entry, what deserves it: the kind, the message and an SQLSTATE, never a value. */
export function logFault(fault: TidemarkError, error: unknown): void {
  const { level } = ERROR_RULES[fault.kind]
  if (level !== 'warn' && level !== 'error') return
  const sqlState = sqlStateOf(error)
  const text = error instanceof Error ? error.message : fault.message
  console[level](`tidemark: ${fault.kind}: ${text}${sqlState ? ` (SQLSTATE ${sqlState})` : ''}`)
}
