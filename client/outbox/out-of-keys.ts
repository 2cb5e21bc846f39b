import { TidemarkError } from '../../protocol/index.ts'
import { NO_KEY_LEFT } from '../store/words-ddl.ts'

/** Answers the fault that an error stands for where no leased key was left; null for any other error. */
export function outOfKeys(error: unknown): TidemarkError | null {
  const isIt = typeof error === 'object' && error !== null && 'code' in error && error.code === NO_KEY_LEFT
  if (!isIt) return null
  const message =
    'No key is left of those that this replica leased: go online, it leases more by itself. Nothing is lost.'
  return new TidemarkError('keys-exhausted', message, { cause: error })
}
