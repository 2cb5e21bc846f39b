import type { PgTable } from 'drizzle-orm/pg-core'
import { drizzle } from 'drizzle-orm/pglite'
import { SignJWT } from 'jose'
import { openReplica } from 'tidemark/client'
import { visibleTables } from 'tidemark/db'
import { sync } from './sync.ts'

// Such as AUDIENCES=customer:1,store:2: what a login of yours would put into the token.
const audiences = (process.env.AUDIENCES ?? 'all').split(',')
const secret = new TextEncoder().encode(process.env.JWT_SECRET)
const token = () =>
  new SignJWT({ audiences }).setProtectedHeader({ alg: 'HS256' }).setSubject('ada').setExpirationTime('1h').sign(secret)

const replica = await openReplica({
  url: process.env.TIDEMARK_URL ?? 'http://localhost:8787',
  user: 'ada',
  token,
  sync,
  storage: 'memory://',
})
await replica.ready
// What was committed until now is there.
await replica.settled()
const db = drizzle(replica.db)
for (const [name, table] of Object.entries<PgTable>(visibleTables(sync))) {
  console.log(`${name}: ${await db.$count(table)} rows`)
  console.table(await db.select().from(table).limit(3))
}
await replica.close()
