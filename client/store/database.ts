import type { PGlite } from '@electric-sql/pglite'
import type { LiveNamespace } from '@electric-sql/pglite/live'

/**
 * The replica's database. In a browser it runs in a worker and lacks what PGlite does not offer there (`fs`, `Module`,
 * raw protocol callbacks); the type is PGlite's own because drizzle asks for it. `live` is there once
 * the replica is open.
 */
export type Database = PGlite & { live: LiveNamespace }
