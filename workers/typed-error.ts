import { ERROR_RULES, type ErrorKind, TidemarkError } from '../protocol/index.ts'
import { sqlStateOf } from './database/index.ts'
import { type LogFields, type LogSettings, log } from './log.ts'

function isKind(kind: unknown): kind is ErrorKind {
  return typeof kind === 'string' && Object.hasOwn(ERROR_RULES, kind)
}

/** Kinds whose messages are for operators; a client only learns that something failed. */
const FOR_OPERATORS: ReadonlySet<ErrorKind> = new Set(['internal', 'misconfigured', 'schema-drift'])
/** The runtime puts this before the message of one of our errors that came from another object. */
const REMOTE = 'TidemarkError: '

/**
 * Returns the error as a client may see it. Errors of another Durable Object come without their class, with the kind
 * kept as a property; an error without a kind is `internal`, and its text stays here.
 */
export function errorFrom(error: unknown): TidemarkError {
  const kind = kindOf(error)
  if (FOR_OPERATORS.has(kind)) {
    return new TidemarkError(kind, 'The server failed, and its log says why; try again later.', { cause: error })
  }
  if (error instanceof TidemarkError) return error
  const message = error instanceof Error ? error.message.replace(REMOTE, '') : 'Refused.'
  return new TidemarkError(kind, message, { cause: error })
}

/** Tells whether an error is one of ours, including one that came from another object. */
export const isTyped = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'kind' in error && isKind(error.kind)

function kindOf(error: unknown): ErrorKind {
  if (typeof error !== 'object' || error === null) return 'internal'
  if ('kind' in error && isKind(error.kind)) return error.kind
  // The kind is lost where the cause cannot be copied: then it is a connection's fault, which may pass.
  return error instanceof Error && error.message.startsWith(REMOTE) ? 'unavailable' : 'internal'
}

/** Returns the error as another Durable Object is to get it: without a cause that might keep it from being copied. */
export function forRemote(error: unknown): unknown {
  return error instanceof TidemarkError ? new TidemarkError(error.kind, error.message) : error
}

/**
 * Logs a fault once, at an entry, where its level asks for it: the kind, the message and an SQLSTATE, never a value.
 */
export function logFault(settings: LogSettings, fault: TidemarkError, error: unknown, where: LogFields = {}): void {
  const message = error instanceof Error ? error.message : fault.message
  const { level } = ERROR_RULES[fault.kind]
  log(settings, 'request-failed', { ...where, kind: fault.kind, sqlState: sqlStateOf(error), message }, level)
}
