#!/usr/bin/env bash
# @electric-sql/pglite 0.5.16 takes ICU collations and compares by bytes all the same.
#
# One would expect: as in Postgres with ICU, a collation of level 2 that is not deterministic makes 'anna' equal 'ANNA', and one
# with numeric order sorts a9 before a10. Seen: neither, without an error or a warning, while pg_collation says that the
# collation is not deterministic. A replica of a table with such a key would hold two rows where the server has one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund @electric-sql/pglite@0.5.16 > /dev/null
cat > seen.mjs <<'SCRIPT'
import { PGlite } from '@electric-sql/pglite'

const db = await PGlite.create()
await db.exec("CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
await db.exec("CREATE COLLATION counting (provider = icu, locale = 'en-u-kn-true')")
const rows = async (text) => JSON.stringify((await db.query(text)).rows)
console.log('equal', await rows("SELECT 'anna' = 'ANNA' COLLATE blind AS equal"))
console.log('order', await rows("SELECT x FROM (VALUES ('a10'), ('a9')) AS v(x) ORDER BY x COLLATE counting"))
console.log('known', await rows("SELECT collisdeterministic FROM pg_collation WHERE collname = 'blind'"))
await db.close()
SCRIPT
seen=$(node seen.mjs)
expected='equal [{"equal":false}]
order [{"x":"a10"},{"x":"a9"}]
known [{"collisdeterministic":false}]'
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'This has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
