import type { Database } from '../store/database.ts'
import type { Predictions } from '../store/rows/mutation-rows.ts'
import type { ActionRunner } from './run-action.ts'

/** The database with what is needed to do pending work on it again. */
export interface LocalStore {
  readonly db: Database
  readonly actions: ActionRunner
  /** Reports objects of the app that could not be carried over when synced tables were made anew. */
  readonly warn: (loss: string) => void
  /** The predictions of mutations sent lately. */
  readonly predictions?: Predictions
  /** Called when predictions were changed where they are stored. */
  forgetPredictions?(): void
}
