import { openDatabase } from '../../client/store/open-database.ts'

/** Run as a process of its own, to be killed while it opens new storage: `node open-until-killed.ts <directory>`. */
const [, , name = ''] = process.argv
await openDatabase({ kind: 'path', name })
// It stays, because a test that waits for the last of its states would find it gone otherwise.
setInterval(() => undefined, 60_000)
