#!/usr/bin/env bash
# TypeORM 1.1.1 gives a column that holds a relation the type of the key it refers to, whatever the column itself says.
#
# One would expect: a column declared text that refers to a uuid is refused, or is text, and Postgres then refuses the foreign key. Seen:
# it becomes uuid without a word, so that the entity says one type and the database has another. A varchar with a length fails, with
# "does not support length property", which is said of the uuid.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --silent --no-audit --no-fund typeorm@1.1.1 > /dev/null
cat > seen.mjs <<'SCRIPT'
import { DataSource, EntitySchema } from 'typeorm'

const project = new EntitySchema({ name: 'project', columns: { id: { type: 'uuid', primary: true } } })
const issue = new EntitySchema({
  name: 'issue',
  columns: { id: { type: 'uuid', primary: true }, projectId: { type: 'text' } },
  relations: { project: { type: 'many-to-one', target: 'project', joinColumn: { name: 'projectId' } } },
})
/** Builds the metadata and validates it, as `initialize` does after it has connected. */
class Unconnected extends DataSource {
  build = () => this.buildMetadatas()
}
const source = new Unconnected({ type: 'postgres', driver: {}, entities: [project, issue] })
await source.build()
const column = source.getMetadata('issue').findColumnWithPropertyName('projectId')
console.log(`declared text, is ${column.type}`)
SCRIPT
seen=$(node seen.mjs)
expected='declared text, is uuid'
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'This has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
