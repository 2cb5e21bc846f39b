#!/usr/bin/env bash
# @electric-sql/pglite 0.5.16 says why a database does not open to its stderr alone, not in the error that it throws.
#
# One would expect: opening files of another Postgres version rejects with Postgres' FATAL and DETAIL, as a connection would be told, so
# that an app can tell "update the app" from "the files are damaged". Seen: one message for all of them; the reason is text for a human,
# which only `onStderr` hears, line by line.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund @electric-sql/pglite@0.5.16 > /dev/null
cat > seen.mjs <<'SCRIPT'
import { writeFile } from 'node:fs/promises'
import { PGlite } from '@electric-sql/pglite'

const first = await PGlite.create('./stored')
await first.close()
await writeFile('./stored/PG_VERSION', '15\n')
const words = []
const opened = await PGlite.create({ dataDir: './stored', onStderr: (line) => words.push(line) }).catch((error) => error)
console.log('the error:', opened instanceof Error ? opened.message : 'none')
console.log('stderr:', /FATAL: .*/.exec(words.join('\n'))?.[0] ?? 'nothing')
process.exit(0)
SCRIPT
seen=$(node seen.mjs)
expected='the error: PGlite failed to initialize properly
stderr: FATAL:  database files are incompatible with server'
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'This has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
