import { TidemarkError, toTidemarkError } from '../../protocol/index.ts'

/** Answers the fault of a load; a snapshot that is not there means that this session's rights have changed: it asks again. */
export function loadFault(error: unknown): TidemarkError {
  const fault = toTidemarkError(error)
  if (fault.kind !== 'not-found') return fault
  return new TidemarkError('unavailable', 'A snapshot is gone; reconnecting.', { cause: fault })
}
