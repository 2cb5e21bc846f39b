import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const DB = fileURLToPath(new URL('../../db/index.ts', import.meta.url))
const DRIZZLE = fileURLToPath(import.meta.resolve('drizzle-orm/pg-core'))

/** A synced table `note`, as an app's own modules would define it; it imports by path, as the app has no packages. */
export const NOTE_APP: Readonly<Record<string, string>> = {
  'sync.ts': `
import { pgTable, text, uuid } from '${DRIZZLE}'
import { defineSync, table } from '${DB}'
const note = pgTable('note', { id: uuid('id').primaryKey(), team: text('team').notNull(), body: text('body') })
export const sync = defineSync({ tables: { note: table(note, { audience: { column: note.team, prefix: 'team' } }) } })
`,
  'migrations/0001_note.sql': 'CREATE TABLE note (id uuid PRIMARY KEY, team text NOT NULL, body text);',
}

export interface MadeApp {
  readonly folder: string
  write(files: Readonly<Record<string, string>>): void
  remove(): void
}

/** Makes an app's folder below the system's temporary one. */
export function makeApp(files: Readonly<Record<string, string>> = NOTE_APP): MadeApp {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-app-'))
  const write = (more: Readonly<Record<string, string>>) => {
    for (const [name, text] of Object.entries(more)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), text)
    }
  }
  write(files)
  return { folder, write, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
