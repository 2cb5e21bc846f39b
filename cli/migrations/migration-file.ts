import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Parameter } from '../../db/query.ts'
import { TidemarkError } from '../../protocol/errors.ts'
import { findUnread } from './unread-files.ts'

/** One migration as it will run. */
export interface MigrationFile {
  /** Its name on record: the file name, for our own files after `tidemark:`. */
  readonly name: string
  /** SHA-256 of the text, whatever its line endings. */
  readonly hash: string
  readonly statements: readonly string[]
  /** For each statement the values of its `$1…`; absent where none has any. */
  readonly parameters?: readonly (readonly Parameter[])[]
  /** The file's own word on pages that do not know it; null: that follows from what it changes. */
  readonly compatibility: 'additive' | 'breaking' | null
  /** The rows of a batch, where the file says that its one statement runs in batches; null or absent where it does not. */
  readonly batchRows?: number | null
  /** What takes it back; null or absent where nothing does. */
  readonly down?: MigrationFile | null
}

export const OWN_PREFIX = 'tidemark:'

/** Tells whether a name on record is of a migration of this package's own tables. */
export const isOwnFile = (name: string): boolean => name.startsWith(OWN_PREFIX)

const BREAKPOINT = '--> statement-breakpoint'

/** Ends the name of a file that takes another back, such as 0003_add-rank.down.sql. */
export const DOWN = '.down.sql'

/**
 * Reads `*.sql` of a folder in name order, but what takes them back; none where it is absent. Of those that ran elsewhere
 * nothing but name and hash is read. Throws `bad-input`, also where it holds migrations of a kind that is not read.
 */
export function readMigrationFiles(
  folder: string,
  namePrefix = '',
  ranElsewhere: (name: string) => boolean = () => false,
): MigrationFile[] {
  if (!existsSync(folder)) return []
  const unread = findUnread(folder)
  if (unread.length > 0) throw new TidemarkError('bad-input', `Nothing was migrated.\n${unread.join('\n')}`)
  const names = readdirSync(folder).filter((name) => name.endsWith('.sql') && !name.endsWith(DOWN))
  return names.sort().map((name) => {
    const text = readFileSync(join(folder, name), 'utf8')
    return ranElsewhere(name) ? fileThatRan(name, text) : toMigrationFile(`${namePrefix}${name}`, text)
  })
}

/** Makes a migration that is never run here of a text, whatever that holds. */
export const fileThatRan = (name: string, text: string): MigrationFile => ({
  name,
  hash: hashOf(text),
  statements: [],
  compatibility: null,
})

/**
 * Makes a migration of a text. Throws `bad-input` where it begins or ends transactions itself: it could be half
 * applied.
 */
export function toMigrationFile(name: string, text: string): MigrationFile {
  const normalized = text.replaceAll('\r\n', '\n')
  refuseTransactions(name, normalized)
  const statements = normalized.split(BREAKPOINT).map((statement) => statement.trim())
  return {
    name,
    hash: hashOf(text),
    statements: statements.filter((statement) => statement !== ''),
    compatibility: readCompatibility(name, normalized),
    batchRows: readBatchRows(name, normalized),
  }
}

/** Tells whether a file says more than comments. */
export const holdsStatement = ({ statements }: Pick<MigrationFile, 'statements'>): boolean =>
  statements.some((statement) => statement.replaceAll(/--.*$|\/\*[\s\S]*?\*\//gm, '').trim() !== '')

/** Answers the SHA-256 of a text, whatever its line endings. */
export const hashOf = (text: string): string => createHash('sha256').update(text.replaceAll('\r\n', '\n')).digest('hex')

/** Throws `bad-input` where a text begins or ends transactions itself: it could be half applied. */
export function refuseTransactions(name: string, text: string): void {
  const own = transactionStatement(text)
  if (own === null) return
  throw new TidemarkError(
    'bad-input',
    `Migration ${name} holds ${own}. Remove it: each file already runs in one transaction, wholly or not at all.`,
  )
}

/** Reads the file's own word on pages that do not know it. Throws `bad-input` for a line that says anything else. */
export const readCompatibility = (name: string, text: string): MigrationFile['compatibility'] =>
  readWords(name, text).compatibility

const readBatchRows = (name: string, text: string): number | null => readWords(name, text).batchRows

/**
 * Reads the lines `-- tidemark: additive`, `-- tidemark: breaking` and `-- tidemark: batches of 1000`, in code after `//`.
 * Throws `bad-input` where one says anything else.
 */
function readWords(
  name: string,
  text: string,
): Required<Pick<MigrationFile, 'compatibility'>> & { batchRows: number | null } {
  let compatibility: MigrationFile['compatibility'] = null
  let batchRows: number | null = null
  for (const [, said = ''] of text.matchAll(/^[ \t]*(?:--|\/\/)[ \t]*tidemark:[ \t]*(.*?)[ \t]*$/gm)) {
    const [, rows] = /^batches of ([1-9]\d*)$/.exec(said) ?? []
    if (said === 'additive' || said === 'breaking') compatibility ??= said
    else if (rows !== undefined) batchRows ??= Number(rows)
    else
      throw new TidemarkError(
        'bad-input',
        `Migration ${name} says "-- tidemark: ${said}": write additive where pages that do not know it may go on, or breaking; or batches of 1000.`,
      )
  }
  return { compatibility, batchRows }
}

/**
 * Finds the first statement that would begin or end a transaction, looking past comments, strings and function bodies.
 */
function transactionStatement(text: string): string | null {
  const bare = text.replaceAll(/--.*$|\/\*[\s\S]*?\*\/|\$(\w*)\$[\s\S]*?\$\1\$|'(?:[^']|'')*'/gm, ' ')
  // `BEGIN ATOMIC … END` is the body of an SQL function, and does not begin a statement.
  const ends = /\bbegin\s+atomic\b/i.test(bare) ? '' : '|end'
  const statement = new RegExp(
    `(?:^|;)\\s*(begin|start\\s+transaction|prepare\\s+transaction|commit|rollback|abort${ends})\\b`,
    'i',
  )
  const found = statement.exec(bare)
  return found?.[1]?.toUpperCase() ?? null
}
