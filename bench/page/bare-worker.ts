import { PGlite } from '@electric-sql/pglite'
import { worker } from '@electric-sql/pglite/worker'

/** PGlite as it comes. */
void worker({ init: ({ dataDir = '' }) => PGlite.create({ dataDir, relaxedDurability: false }) })
