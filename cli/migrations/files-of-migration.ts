import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { TidemarkError } from '../../protocol/errors.ts'
import { DOWN } from './migration-file.ts'

/** Everything that a migration left in the app's folder of migrations. */
export interface FilesOfMigration {
  /** Its names on record; a compiled copy is another. */
  readonly recorded: readonly string[]
  /** Paths of all files that are its own. */
  readonly paths: readonly string[]
  /** The journal of drizzle-kit without its entry; null where it has none there. */
  readonly journal: { readonly path: string; readonly text: string } | null
}

const journalSchema = z.looseObject({ entries: z.array(z.looseObject({ idx: z.number(), tag: z.string() })) })

/**
 * Finds the files of the migration of this name, with or without what it ends in. Throws `bad-input` where there is none,
 * or where drizzle-kit built later ones on it.
 */
export function filesOfMigration(folder: string, name: string): FilesOfMigration {
  const stem = name.replace(/(\.down)?\.(sql|[cm]?[jt]s)$/, '')
  const names = existsSync(folder) ? readdirSync(folder) : []
  const recorded = names.filter((file) => /^\.(sql|[cm]?[jt]s)$/.test(file.slice(stem.length)) && file.startsWith(stem))
  if (recorded.length === 0) {
    const close = names.filter((file) => file.includes(stem) && !file.endsWith(DOWN))
    const hint = close.length === 0 ? 'tidemark migration:status lists them' : `did you mean ${close.join(' or ')}?`
    throw new TidemarkError('bad-input', `There is no migration ${name} in ${folder}: ${hint}.`)
  }
  const paths = names.filter((file) => recorded.includes(file) || file === `${stem}${DOWN}`)
  const { journal, snapshot } = inJournal(folder, stem)
  return { recorded, paths: [...paths.map((file) => join(folder, file)), ...snapshot], journal }
}

/** Finds its entry among those of drizzle-kit, which knows the tables by the snapshot of the last one. */
function inJournal(folder: string, stem: string): Pick<FilesOfMigration, 'journal'> & { readonly snapshot: string[] } {
  const path = join(folder, 'meta', '_journal.json')
  if (!existsSync(path)) return { journal: null, snapshot: [] }
  const journal = journalSchema.parse(JSON.parse(readFileSync(path, 'utf8')))
  const place = journal.entries.findIndex(({ tag }) => tag === stem)
  if (place === -1) return { journal: null, snapshot: [] }
  const later = journal.entries[place + 1]
  if (later)
    throw new TidemarkError('bad-input', `drizzle-kit made ${later.tag} on top of ${stem}: clean that up first.`)
  const snapshot = join(folder, 'meta', `${/^\d+/.exec(stem)?.[0]}_snapshot.json`)
  const text = `${JSON.stringify({ ...journal, entries: journal.entries.slice(0, -1) }, null, 2)}\n`
  return { journal: { path, text }, snapshot: existsSync(snapshot) ? [snapshot] : [] }
}
