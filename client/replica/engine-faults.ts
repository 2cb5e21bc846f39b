import { type RehydrateReason, TidemarkError } from '../../protocol/index.ts'
import { loadFault } from '../connection/load-fault.ts'

export const closedFault = () => new TidemarkError('unavailable', 'The replica is closed.')
export const offlineFault = () => new TidemarkError('unavailable', 'The replica is offline: call goOnline() first.')
export const rightsFault = () =>
  new TidemarkError('unavailable', 'The rights of this user changed during the load; connecting again.')

/** Answers the fault for which the connection begins anew where rows could not be loaded beside those that are shown. */
export function besideFault(reason: RehydrateReason, error: unknown): TidemarkError {
  if (reason === 'audience-granted')
    return new TidemarkError('unavailable', 'Rows that were granted could not be loaded; they are asked for again.', {
      cause: error,
    })
  return loadFault(error)
}
