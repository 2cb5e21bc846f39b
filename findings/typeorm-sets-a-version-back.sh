#!/usr/bin/env bash
# TypeORM 1.1.1 sets @VersionColumn and @UpdateDateColumn back when an entity is saved that was read before another save.
#
# One would expect: save() counts the version, as it does for a fresh entity, or refuses the stale one. Seen: it compares the stale entity with
# the row, takes the older version and time for changes, and writes them: two different rows of a history have one version, so that a lock
# by version lets a third writer pass. upsert() and orUpdate() change a row without counting at all.
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
const columns = {
  id: { type: 'integer', primary: true },
  title: { type: 'text' },
  version: { type: 'integer', version: true },
  changed: { type: 'timestamptz', updateDate: true },
}
const Note = new EntitySchema({ name: 'note', columns })
const source = new DataSource({ type: 'postgres', driver: { Pool }, installExtensions: false, entities: [Note] })
await source.initialize()
await db.exec('CREATE TABLE note (id integer PRIMARY KEY, title text, version integer NOT NULL, changed timestamptz NOT NULL DEFAULT now())')
const notes = source.getRepository(Note)
let last = null
const show = async (what) => {
  const [{ title, version, changed }] = (await db.query('SELECT * FROM note')).rows
  console.log(what, title, version, last !== null && changed < last ? 'changed earlier' : '')
  last = changed
}
await notes.save({ id: 1, title: 'new' })
await show('saved')
const [first, second] = [await notes.findOneBy({ id: 1 }), await notes.findOneBy({ id: 1 })]
await new Promise((resolve) => setTimeout(resolve, 20))
await notes.save(Object.assign(first, { title: 'first' }))
await show('saved')
await notes.save(Object.assign(second, { title: 'second' }))
await show('saved stale')
await notes.upsert({ id: 1, title: 'third' }, ['id'])
await show('upserted')
await source.destroy()
SCRIPT
seen=$(node seen.mjs)
expected='saved new 1 
saved first 2 
saved stale second 1 changed earlier
upserted third 1 '
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'This has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
