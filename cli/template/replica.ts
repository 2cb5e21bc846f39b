import { SignJWT } from 'jose'
import { openReplica } from 'tidemark/client'
import { sync } from './sync.ts'

const secret = new TextEncoder().encode(process.env.JWT_SECRET)
const token = () =>
  new SignJWT({ team: 'red' })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('ada')
    .setExpirationTime('1h')
    .sign(secret)

const replica = await openReplica({
  url: process.env.TIDEMARK_URL ?? 'http://localhost:8787',
  user: 'ada',
  token,
  sync,
  storage: 'memory://',
})
await replica.ready
await replica.db.live.query('SELECT title, done FROM task ORDER BY title', [], ({ rows }) => {
  console.log(`The red team has ${rows.length} tasks.`)
  console.table(rows)
})
