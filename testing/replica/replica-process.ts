import { createInterface } from 'node:readline'
import { openReplica } from '../../client/index.ts'
import { sync } from '../rights/sync.ts'
import { statusThat } from './start-replica.ts'

/**
 * A replica in a process of its own, under any runtime: `replica-process.ts <url> <user> <token> <directory>`. It
 * prints one JSON line when it has opened, and one for each line of audiences that it is sent: the items that it holds
 * once it shows these audiences and everything committed is there.
 */
const [, , url = '', user = '', token = '', storage = ''] = process.argv
const replica = await openReplica({ url, user, token: () => token, sync, storage })
const say = (what: unknown) => console.log(JSON.stringify(what))
say({ runtime: 'Bun' in globalThis ? 'bun' : 'node', ready: replica.status.ready, rows: replica.status.rows })
for await (const line of createInterface({ input: process.stdin })) {
  await statusThat(replica, ({ audiences }) => audiences.toSorted().join() === line)
  await replica.settled()
  const { rows } = await replica.db.query('SELECT id, org_id, title FROM item ORDER BY id')
  say(rows)
}
await replica.close()
