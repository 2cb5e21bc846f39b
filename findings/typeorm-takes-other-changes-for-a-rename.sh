#!/usr/bin/env bash
# TypeORM 1.1.1 takes a column that goes and another that comes for a rename, and two renames for two losses.
#
# One would expect: a migration made from entities drops the column that is gone and adds the new one, or asks. Seen: with one of each, of
# one type, it writes RENAME, so that phone numbers stand where nicknames should; with two columns renamed at once it drops both
# and adds two empty ones. Nothing in the statements tells either from what was meant.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund typeorm@1.1.1 @electric-sql/pglite@0.5.16 > /dev/null
cat > seen.mjs <<'SCRIPT'
import { PGlite } from '@electric-sql/pglite'
import { DataSource, EntitySchema } from 'typeorm'

const db = await PGlite.create()
/** What TypeORM uses of `pg`, over PGlite. */
const client = {
  query: async (text, values) => {
    const { rows, affectedRows } = await db.query(text, values)
    return { rows, rowCount: affectedRows, command: text.trim().split(/\s/)[0] }
  },
  on() {},
  removeListener() {},
}
class Pool {
  connect(callback) {
    callback(null, client, () => {})
  }
  on() {}
  end(callback) {
    callback()
  }
}
async function statements(...names) {
  const columns = { id: { type: 'integer', primary: true } }
  for (const name of names) columns[name] = { type: 'text', nullable: true }
  const entity = new EntitySchema({ name: 'person', columns })
  const source = new DataSource({ type: 'postgres', driver: { Pool }, installExtensions: false, entities: [entity] })
  await source.initialize()
  const { upQueries } = await source.driver.createSchemaBuilder().log()
  await source.destroy()
  for (const { query } of upQueries) console.log(query)
}
await db.exec('CREATE TABLE person (id integer CONSTRAINT "PK_5fdaf670315c4b7e70cce85daa3" PRIMARY KEY, phone text)')
console.log('phone goes, nickname comes:')
await statements('nickname')
await db.exec('ALTER TABLE person ADD mail text')
console.log('phone becomes mobile, mail becomes email:')
await statements('mobile', 'email')
SCRIPT
seen=$(node seen.mjs)
expected='phone goes, nickname comes:
ALTER TABLE "person" RENAME COLUMN "phone" TO "nickname"
phone becomes mobile, mail becomes email:
ALTER TABLE "person" DROP COLUMN "phone"
ALTER TABLE "person" DROP COLUMN "mail"
ALTER TABLE "person" ADD "mobile" text
ALTER TABLE "person" ADD "email" text'
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'This has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
