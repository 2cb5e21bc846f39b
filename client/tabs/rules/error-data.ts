import { ActionRefusal } from '../../../db/action.ts'
import { type ErrorKind, type MutationId, type Rejection, type Row, TidemarkError } from '../../../protocol/index.ts'
import { type HistoryRefusal, HistoryRefused, type RowInTheWay } from '../../mutations/history-refused.ts'
import { MutationFailed } from '../../mutations/mutation.ts'
import { UndoRefused } from '../../mutations/undo-refused.ts'
import { UnsentWork } from '../../mutations/unsent-work.ts'
import { decodePlainError, encodePlainError, type PlainError } from '../../store/rules/plain-error.ts'

/** An error as it crosses to another tab: kind, SQLSTATE and the fields that apps read stay. */
export type ErrorData =
  | {
      readonly is: 'tidemark'
      readonly kind: ErrorKind
      readonly message: string
      readonly retryAfterMs: number | null
      readonly cause: ErrorData | null
    }
  | { readonly is: 'mutation-failed'; readonly id: MutationId; readonly rejection: Rejection }
  | { readonly is: 'refusal'; readonly code: string; readonly message: string; readonly json: string }
  | { readonly is: 'unsent-work'; readonly pending: number; readonly failed: number }
  | { readonly is: 'undo-refused'; readonly table: string; readonly key: Row; readonly columns: readonly string[] }
  | { readonly is: 'history-refused'; readonly reason: HistoryRefusal; readonly rows: readonly RowInTheWay[] }
  | (PlainError & { readonly is: 'other'; readonly cause: ErrorData | null })

/** Causes of causes beyond this are left out. */
const CAUSES = 3

/** What is no JSON is left out, as where the server says it. */
function jsonOf(data: unknown): string {
  try {
    return JSON.stringify(data) ?? 'null'
  } catch {
    return 'null'
  }
}

const causeOf = ({ cause }: Error, causes: number): ErrorData | null =>
  cause === undefined || causes === 0 ? null : encodeError(cause, causes - 1)

export function encodeError(error: unknown, causes = CAUSES): ErrorData {
  if (error instanceof TidemarkError) {
    const { kind, message, retryAfterMs } = error
    return { is: 'tidemark', kind, message, retryAfterMs, cause: causeOf(error, causes) }
  }
  if (error instanceof MutationFailed) return { is: 'mutation-failed', id: error.id, rejection: error.rejection }
  if (error instanceof UndoRefused)
    return { is: 'undo-refused', table: error.table, key: error.key, columns: error.columns }
  if (error instanceof HistoryRefused) return { is: 'history-refused', reason: error.reason, rows: error.rows }
  if (error instanceof ActionRefusal)
    return { is: 'refusal', code: error.code, message: error.message, json: jsonOf(error.data) }
  if (error instanceof UnsentWork) return { is: 'unsent-work', pending: error.pending, failed: error.failed }
  const cause = error instanceof Error ? causeOf(error, causes) : null
  return { is: 'other', ...encodePlainError(error), cause }
}

export function decodeError(data: ErrorData): Error {
  switch (data.is) {
    case 'tidemark': {
      const { kind, message, retryAfterMs, cause } = data
      return new TidemarkError(kind, message, { retryAfterMs, ...(cause ? { cause: decodeError(cause) } : {}) })
    }
    case 'mutation-failed':
      return new MutationFailed(data.id, data.rejection)
    case 'undo-refused':
      return new UndoRefused(data, data.columns)
    case 'history-refused':
      return new HistoryRefused(data.reason, data.rows)
    case 'refusal':
      return new ActionRefusal(data.code, data.message, JSON.parse(data.json))
    case 'unsent-work':
      return new UnsentWork(data)
    case 'other':
      return decodePlainError(data, data.cause ? { cause: decodeError(data.cause) } : undefined)
  }
}
