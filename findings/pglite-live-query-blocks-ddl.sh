#!/usr/bin/env bash
# An open live query of @electric-sql/pglite 0.5.16 keeps its tables from being dropped or retyped.
#
# One would expect: a live query only listens, so a migration goes through and the query fails or is told at its next run. Seen: the
# query stands on a view of its own, and DROP TABLE and ALTER COLUMN TYPE are refused as if the app depended on them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund @electric-sql/pglite@0.5.16 > /dev/null
cat > seen.mjs <<'SCRIPT'
import { PGlite } from '@electric-sql/pglite'
import { live } from '@electric-sql/pglite/live'

const db = await PGlite.create({ extensions: { live } })
await db.exec('CREATE TABLE note (id int PRIMARY KEY, size int)')
await db.live.query('SELECT * FROM note', [], () => undefined)
const attempt = async (text) => db.exec(text).then(() => 'done', ({ code, message }) => `${code} ${message}`)
console.log(await attempt('DROP TABLE note'))
console.log(await attempt('ALTER TABLE note ALTER size TYPE text'))
await db.close()
SCRIPT
seen=$(node seen.mjs)
expected='2BP01 cannot drop table note because other objects depend on it
0A000 cannot alter type of a column used by a view or rule'
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'This has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
