#!/usr/bin/env bash
# @electric-sql/pglite 0.5.16 begins a new database in a folder that holds one, where the file PG_VERSION is gone.
#
# One would expect: Postgres refuses such a folder ("is not a valid data directory"), and initdb one that is not empty, so that a file
# lost by a full disk or a broken copy can be put back. Seen: no error, and the folder's tables are gone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund @electric-sql/pglite@0.5.16 > /dev/null
cat > seen.mjs <<'SCRIPT'
import { rm } from 'node:fs/promises'
import { PGlite } from '@electric-sql/pglite'

const count = async (db) => (await db.query(`SELECT count(*)::int AS n FROM pg_tables WHERE tablename = 'note'`)).rows[0].n
const first = await PGlite.create('./stored')
await first.exec('CREATE TABLE note (id int PRIMARY KEY); INSERT INTO note VALUES (1)')
await first.close()
const again = await PGlite.create('./stored')
console.log('opened again, tables of ours:', await count(again))
await again.close()
await rm('./stored/PG_VERSION')
const opened = await PGlite.create('./stored').catch((error) => error)
console.log('without PG_VERSION:', opened instanceof Error ? opened.message : `tables of ours: ${await count(opened)}`)
SCRIPT
seen=$(node seen.mjs 2> /dev/null)
expected='opened again, tables of ours: 1
without PG_VERSION: tables of ours: 0'
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'This has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
