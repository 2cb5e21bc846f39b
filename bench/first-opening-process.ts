import { PGlite } from '@electric-sql/pglite'
import { live } from '@electric-sql/pglite/live'
import { openReplica } from '../dist/client/index.js'

/** `first-opening-process.ts replica|bare <folder>`: opens new storage, and prints how long that took. */
const [, , way = '', folder = ''] = process.argv
const start = performance.now()
if (way === 'bare') await PGlite.create({ dataDir: folder, relaxedDurability: false, extensions: { live } })
// No server is asked before it is open, so none has to be there.
else await openReplica({ url: 'http://localhost', user: 'ann', token: () => '', sync: { tables: {} }, storage: folder })
console.log(performance.now() - start)
process.exit(0)
