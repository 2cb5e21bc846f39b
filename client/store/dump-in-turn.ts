import type { PGlite } from '@electric-sql/pglite'

/** Reads the database's files once all that was asked before is done; PGlite itself would read them in the midst of a transaction. */
export function dumpInTurn(
  db: Pick<PGlite, 'transaction' | 'dumpDataDir'>,
  compression: 'none' | 'gzip' | 'auto' | undefined,
): Promise<Blob> {
  return db.transaction(() => db.dumpDataDir(compression))
}
