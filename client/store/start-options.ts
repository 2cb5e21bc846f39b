import type { PGlite, PGliteOptions } from '@electric-sql/pglite'
import type { PanicGuard } from './panic-guard.ts'
import { INSTANT_PARSERS } from './rules/parse-instant.ts'
import type { StartWords } from './start-failed.ts'

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

/** Answers how a replica's PGlite starts wherever it runs: strictly durable, from `image` where it is new, heard by both listeners. */
export const startOptions = (
  engine: typeof PGlite,
  image: Blob | File | null,
  { panic, words }: { readonly panic: PanicGuard; readonly words: StartWords },
) =>
  ({
    ...(image ? { loadDataDir: image } : {}),
    relaxedDurability: false,
    startParams: startParams(engine),
    onStderr: (line) => panic.listen(line) && words.listen(line),
    parsers: INSTANT_PARSERS,
  }) satisfies PGliteOptions
