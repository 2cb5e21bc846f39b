import { openReplica } from '../../client/index.ts'

/** Run as a process of its own, to be killed while it applies: `node apply-until-killed.ts <url> <directory>`. */
const [, , url = '', storage = ''] = process.argv
const replica = await openReplica({ url, user: 'ann', token: () => 'token', sync: { tables: {} }, storage })
replica.subscribe(({ lsn }) => console.log(lsn))
