import { TidemarkError } from '../../protocol/index.ts'
import type { ReplicaStatus } from '../replica/status.ts'
import { decodeError, type ErrorData, encodeError } from './rules/error-data.ts'
import type { StatusData } from './tab-messages.ts'

/** Answers a status with its errors as data. */
export function encodeStatus({ error, pushError, ...rest }: ReplicaStatus): StatusData {
  return { ...rest, error: error && encodeError(error), pushError: pushError && encodeError(pushError) }
}

export function decodeStatus({ error, pushError, ...rest }: StatusData): ReplicaStatus {
  return { ...rest, error: faultOf(error), pushError: faultOf(pushError) }
}

/** Every error of a status is a TidemarkError. */
function faultOf(data: ErrorData | null): TidemarkError | null {
  const error = data && decodeError(data)
  return error instanceof TidemarkError ? error : null
}
