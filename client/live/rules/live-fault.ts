import { TidemarkError } from '../../../protocol/index.ts'
import type { LiveFault } from '../live-messages.ts'

/** What Postgres says of an error beside its message. */
const DETAILS = ['code', 'detail', 'hint', 'where', 'schema', 'table', 'column', 'constraint'] as const

/** Makes data of an error. */
export function faultOf(error: unknown): LiveFault {
  const known = (error ?? {}) as Readonly<Record<string, unknown>>
  const details = DETAILS.flatMap((name) => (typeof known[name] === 'string' ? [[name, known[name]] as const] : []))
  return {
    message: error instanceof Error ? error.message : String(error),
    kind: error instanceof TidemarkError ? error.kind : null,
    details: Object.fromEntries(details),
  }
}

/** Makes an error of its data again. */
export const errorOf = ({ kind, message, details }: LiveFault): Error =>
  kind === null ? Object.assign(new Error(message), details) : new TidemarkError(kind, message)

/** Answers whether a query does not fit the tables that are there. */
export const isMisfit = ({ details, message }: LiveFault): boolean =>
  /^(42|22P02)/.test(details.code ?? '') || /\bdoes not exist\b|cannot be matched|invalid input syntax/i.test(message)

/** Answers whether the session was in a transaction of the app's that had failed. */
export const isOfBrokenTransaction = ({ details }: LiveFault): boolean => details.code === '25P02'
