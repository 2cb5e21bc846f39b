import type { Database } from '../store/database.ts'
import type { Predictions } from './decode-transactions.ts'
import type { ActionRunner } from './run-action.ts'

/** The database with what is needed to do pending work on it again. */
export interface LocalStore {
  readonly db: Database
  readonly actions: ActionRunner
  /** Hears what of the app's own could not be carried over when synced tables were made anew. */
  readonly warn: (loss: string) => void
  /** What was predicted of the mutations sent lately. */
  readonly predictions?: Predictions
}
