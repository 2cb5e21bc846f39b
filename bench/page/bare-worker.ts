import { PGlite } from '@electric-sql/pglite'
import { worker } from '@electric-sql/pglite/worker'

/** Runs PGlite as it comes, to compare replicas with. */
void worker({ init: ({ dataDir = '' }) => PGlite.create({ dataDir, relaxedDurability: false }) })
