import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

const CODE = /(?<!\.d)\.[cm]?[jt]s$/
/** TypeORM names its files by the time in ms; what they run may stand in another file. */
const NAMED_BY_TYPEORM = /^\d{13}-/
/** A class or a module of migrations by code has a function of this name, whichever tool it is of. */
const UP = /\bup\s*[(=:]/

const journalSchema = z.object({ entries: z.array(z.object({ tag: z.string() })) })

/** Tells whether a file is a migration by code. */
export const isCodeMigration = (folder: string, name: string): boolean =>
  CODE.test(name) && (NAMED_BY_TYPEORM.test(name) || UP.test(readFileSync(join(folder, name), 'utf8')))

/**
 * Lists what in a folder of migrations would be passed over, or run in another order, than the tool that wrote it means;
 * one sentence each, with what to do.
 */
export function findUnread(folder: string): string[] {
  const faults: string[] = []
  const names = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const entry of names) {
    const path = join(folder, entry.name)
    if (entry.isDirectory() && existsSync(join(path, 'migration.sql')))
      faults.push(`${entry.name}/migration.sql would not run, as folders are not read: make it ${entry.name}.sql here.`)
  }
  const journal = join(folder, 'meta', '_journal.json')
  if (existsSync(journal))
    faults.push(...compareJournal(readFileSync(journal, 'utf8'), new Set(names.map(({ name }) => name))))
  return faults
}

/** Compares drizzle-kit's record of its files, in their order, with the files. */
function compareJournal(text: string, present: ReadonlySet<string>): string[] {
  const parsed = journalSchema.safeParse(parseJson(text))
  if (!parsed.success) return ['meta/_journal.json cannot be read: restore it, or remove meta/ to go by names alone.']
  const files = parsed.data.entries.map(({ tag }) => `${tag}.sql`)
  const absent = files.filter((name) => !present.has(name))
  const [late] = files.filter((name, index) => index > 0 && name < (files[index - 1] ?? ''))
  return [
    ...absent.map(
      (name) => `${name} is in drizzle-kit's journal (meta/_journal.json), but the file is missing: restore it.`,
    ),
    ...(late === undefined
      ? []
      : [
          `${late} comes after ${files[files.indexOf(late) - 1]} in drizzle-kit's journal (meta/_journal.json), and files ` +
            'run in the order of their names: let drizzle-kit number them (migrations.prefix "index" or "timestamp"), and rename those that have not run.',
        ]),
  ]
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
