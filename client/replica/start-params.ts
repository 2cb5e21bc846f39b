import type { PGlite } from '@electric-sql/pglite'

/**
 * How a replica's PGlite starts: files grow by writing zeros, because those that lie in memory (`memory://`, `idb://`) are
 * copied whole each time room is reserved for them. A fifth of a large load was that.
 */
export const startParams = ({ defaultStartParams }: typeof PGlite): string[] => [
  ...defaultStartParams,
  '-c',
  'file_extend_method=write_zeros',
]
