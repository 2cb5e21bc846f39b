import type { PGlite, PGliteInterfaceExtensions } from '@electric-sql/pglite'
import type { live } from '@electric-sql/pglite/live'
import type { ActionRunner } from '../outbox/run-action.ts'
import type { Predictions } from './own-transaction.ts'

/**
 * The replica's database. In a browser it runs in a worker and lacks what PGlite does not offer there (`fs`, `Module`,
 * raw protocol callbacks); the type is PGlite's own because drizzle asks for it.
 */
export type Database = PGlite & PGliteInterfaceExtensions<{ live: typeof live }>

/** The database with what is needed to do pending work on it again. */
export interface LocalStore {
  readonly db: Database
  readonly actions: ActionRunner
  /** Hears what of the app's own could not be carried over when synced tables were made anew. */
  readonly warn: (loss: string) => void
  /** Of what was sent lately. */
  readonly predictions?: Predictions
}
