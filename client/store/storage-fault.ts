import { TidemarkError } from '../../protocol/index.ts'

/**
 * PGlite loses SQLSTATE between worker and page, so that a refusal to write is known by its words. A browser's quota
 * reaches Postgres as "file too large".
 */
const NO_SPACE = /no space left|quota|disk full|file too large|could not extend|could not write/i

/** Answers the `storage` fault where the device has no room for what was written; null for any other error. */
export function storageFault(error: unknown): TidemarkError | null {
  if (error instanceof TidemarkError) return error.kind === 'storage' ? error : null
  if (!NO_SPACE.test(error instanceof Error ? error.message : String(error))) return null
  return new TidemarkError(
    'storage',
    'The device has no room for the replica: free space, then goOnline() or reopen.',
    {
      cause: error,
    },
  )
}
