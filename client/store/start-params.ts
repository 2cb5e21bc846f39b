import type { PGlite } from '@electric-sql/pglite'

/**
 * Answers the start parameters of a replica's PGlite. Files grow by writing zeros, because those that lie in memory
 * (`memory://`, `idb://`) are copied whole each time room is reserved for them: a fifth of a large load was that. Its
 * buffers are a quarter of PGlite's 128 MB: each start fills them with zeros, which was more than half of an opening,
 * and what they do not hold is in the system's cache.
 */
export const startParams = ({ defaultStartParams }: typeof PGlite): string[] => [
  ...defaultStartParams,
  '-c',
  'file_extend_method=write_zeros',
  '-c',
  'shared_buffers=32MB',
]
