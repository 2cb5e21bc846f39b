import { openReplica } from '../../client/index.ts'

/** Run as a process of its own, to be killed while it rebases: `node rebase-until-killed.ts <url> <directory>`. */
const [, , url = '', storage = ''] = process.argv
const replica = await openReplica({ url, user: 'ann', token: () => 'token', sync: { tables: {} }, storage })
await replica.ready
const { rows } = await replica.db.query<{ id: string }>(`SELECT id FROM note WHERE title NOT LIKE 'mine%' ORDER BY id`)
for (const { id } of rows) await replica.db.query(`UPDATE note SET title = 'mine ' || id WHERE id = $1`, [id])
console.log('written')
