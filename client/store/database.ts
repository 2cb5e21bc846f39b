import type { PGlite, PGliteInterfaceExtensions } from '@electric-sql/pglite'
import type { live } from '@electric-sql/pglite/live'

/**
 * The replica's database. In a browser it runs in a worker and lacks what PGlite does not offer there (`fs`, `Module`,
 * raw protocol callbacks); the type is PGlite's own because drizzle asks for it.
 */
export type Database = PGlite & PGliteInterfaceExtensions<{ live: typeof live }>
