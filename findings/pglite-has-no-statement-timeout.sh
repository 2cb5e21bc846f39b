#!/usr/bin/env bash
# @electric-sql/pglite 0.5.16 takes statement_timeout and never ends a statement by it.
#
# One would expect: a statement of half a second under a limit of 50 ms fails with 57014, as in Postgres. Seen: it runs to its end. Whoever
# bounds a query in the page has to do it outside.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund @electric-sql/pglite@0.5.16 > /dev/null
cat > seen.mjs <<'SCRIPT'
import { PGlite } from '@electric-sql/pglite'

const db = await PGlite.create()
await db.exec("SET statement_timeout = '50ms'")
console.log('limit', JSON.stringify((await db.query('SHOW statement_timeout')).rows))
console.log(await db.query('SELECT pg_sleep(0.5)').then(() => 'ran to its end', ({ code }) => code))
await db.close()
SCRIPT
seen=$(node seen.mjs)
expected='limit [{"statement_timeout":"50ms"}]
ran to its end'
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'This has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
