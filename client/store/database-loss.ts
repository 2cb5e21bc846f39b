import type { TidemarkError } from '../../protocol/index.ts'
import type { Database } from './database.ts'

const losses = new WeakMap<Database, Promise<TidemarkError>>()

/** Notes how it will be known that an open database is gone: its thread ended, or Postgres panicked. */
export function noteLoss(db: Database, loss: Promise<TidemarkError>): void {
  losses.set(db, loss)
}

/** Calls back where an open database is gone; every call to it rejects with that fault from then on. */
export function watchLoss(db: Database, onLost: (fault: TidemarkError) => void): void {
  void losses.get(db)?.then(onLost)
}
