#!/usr/bin/env bash
# A Date that is written to a `timestamp` of @electric-sql/pglite 0.5.16 is another one when it is read, unless the process runs in UTC.
#
# One would expect: both ways go by one zone, the local one as with node-postgres, or UTC. Seen in New York: written in UTC, read as local
# time, five hours later each time that a row is read and written back. A `timestamptz` comes back as it was.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund @electric-sql/pglite@0.5.16 > /dev/null
cat > seen.mjs <<'SCRIPT'
import { PGlite } from '@electric-sql/pglite'

const db = await PGlite.create()
await db.exec('CREATE TABLE item (plain timestamp, zoned timestamptz)')
let [plain, zoned] = [new Date('2026-12-01T10:00:00Z'), new Date('2026-12-01T10:00:00Z')]
for (let round = 1; round <= 2; round++) {
  await db.query('DELETE FROM item')
  await db.query('INSERT INTO item VALUES ($1, $2)', [plain, zoned])
  ;({ plain, zoned } = (await db.query('SELECT * FROM item')).rows[0])
  console.log(round, plain.toISOString(), zoned.toISOString())
}
await db.close()
SCRIPT
seen=$(TZ=America/New_York node seen.mjs)
expected='1 2026-12-01T15:00:00.000Z 2026-12-01T10:00:00.000Z
2 2026-12-01T20:00:00.000Z 2026-12-01T10:00:00.000Z'
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'This has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
