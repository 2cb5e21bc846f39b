import { TidemarkError } from '../../protocol/index.ts'

/**
 * PGlite loses SQLSTATE between worker and page, so that a refusal to write is known by its words. A browser's quota
 * reaches Postgres as "file too large"; where the browser itself refuses, Chromium speaks of no space for a file and
 * of a full disk for a database, Firefox of no device space, and an aborted transaction has no words but its name.
 */
const NO_SPACE = /no space|no_device_space|quota|disk full|full disk|file too large|could not extend|could not write/i

/** Answers the `storage` fault where the device has no room for what was written; null for any other error. */
export function storageFault(error: unknown): TidemarkError | null {
  if (error instanceof TidemarkError) return error.kind === 'storage' ? error : null
  if (!NO_SPACE.test(String(error))) return null
  return new TidemarkError(
    'storage',
    'The device has no room for the replica: free space, then goOnline() or reopen.',
    {
      cause: error,
    },
  )
}

/** Answers the words of an error, or the name of its kind where it has none. */
export function sayError(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error)
}
