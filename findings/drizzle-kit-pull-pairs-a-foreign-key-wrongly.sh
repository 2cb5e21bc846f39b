#!/usr/bin/env bash
# A foreign key of two columns refers to the wrong ones in the schema that `drizzle-kit pull` writes. Seen with drizzle-kit 0.31.11,
# drizzle-orm 0.45.4 and PGlite 0.5.16.
#
# One would expect: the columns stand in pairs, as the constraint has them, `(org, parent)` beside `(org, id)`. Seen: those of the child
# stand in the constraint's order, those of the parent in the order of the table, so that `org` refers to `id`, and `parent` to `org`; in the
# SQL that it writes too. Nothing warns: where types differ, what is made from either is refused later, and where they are alike, it is
# taken. Keys that begin with a tenant, whose column came later than `id`, are such keys.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund drizzle-kit@0.31.11 drizzle-orm@0.45.4 @electric-sql/pglite@0.5.16 > /dev/null
cat > make.mjs <<'SCRIPT'
import { PGlite } from '@electric-sql/pglite'

const db = await PGlite.create('./data')
await db.exec(`
  CREATE TABLE parent (id int, org int, PRIMARY KEY (org, id));
  CREATE TABLE child (id int PRIMARY KEY, org int, parent int, FOREIGN KEY (org, parent) REFERENCES parent (org, id))`)
await db.close()
SCRIPT
node make.mjs
cat > drizzle.config.ts <<'SCRIPT'
export default { dialect: 'postgresql', driver: 'pglite', dbCredentials: { url: './data' }, out: './out' }
SCRIPT
npx drizzle-kit pull > /dev/null 2>&1
seen=$(tr -d '\n\t ' < out/schema.ts | grep -o 'columns:\[[^]]*\],foreignColumns:\[[^]]*\]')
echo "$seen"
[ "$seen" = 'columns:[table.org,table.parent],foreignColumns:[parent.id,parent.org]' ] || { echo 'This has changed.' >&2; exit 1; }
grep -o 'FOREIGN KEY.*REFERENCES[^)]*)' out/*.sql
