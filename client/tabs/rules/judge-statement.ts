import { splitStatements } from './split-statements.ts'

/**
 * What a text does that matters where several tabs share one session. `begin` and `end`: it opens or ends a transaction on
 * its own. `refused`: it changes the session itself, or a part of a transaction; `why` says what to do instead.
 */
export type Judgement =
  | { readonly kind: 'read' | 'write' | 'begin' | 'commit' | 'rollback' }
  | { readonly kind: 'refused'; readonly why: string }

const BEGIN = /^(begin|start\s+transaction)\b/i
const COMMIT = /^(commit|end)\b/i
const ROLLBACK = /^(rollback|abort)\b(?!\s+(work\s+|transaction\s+)?to\b)/i
const READ = /^(select|values|table|show|explain|with)\b/i
const WRITES = /\b(insert|update|delete|merge|into|analy[sz]e)\b/i

const SESSION: readonly (readonly [RegExp, string])[] = [
  [/^(set(?!\s+(local|constraints|transaction)\b)|reset|discard)\b/i, 'use SET LOCAL within a transaction'],
  [/^(prepare|deallocate|execute)\b/i, 'pass parameters to query() instead'],
  [/^(listen|unlisten)\b/i, 'use db.listen()'],
  [
    /^create\s+(or\s+replace\s+)?((local|global)\s+)?temp(orary)?\b|\bpg_temp\s*\./i,
    'make a table of its own name, and drop it',
  ],
  [
    /(?<!\b(?:insert|merge)\s+)\binto\s+((local|global)\s+)?temp(orary)?\b/i,
    'make a table of its own name, and drop it',
  ],
  [/^declare\b.*\bwith\s+hold\b/is, 'read within a transaction'],
  [/^(commit|end|rollback|abort)\b.*\band\s+chain\b/is, 'begin the next transaction on its own'],
  [/\bset_config\s*\((?![^;]*,\s*true\s*\))/i, 'use SET LOCAL within a transaction'],
  [/\bpg_(try_)?advisory_lock(_shared)?\s*\(/i, 'use pg_advisory_xact_lock() within a transaction'],
  [/^load\b/i, 'all tabs share this database'],
]

/** Judges what a tab asks for outside of a transaction. */
export function judgeStatement(text: string): Judgement {
  const statements = splitStatements(text)
  for (const statement of statements) {
    const of = SESSION.find(([pattern]) => pattern.test(statement))
    if (of) return { kind: 'refused', why: `${firstWords(statement)} would hold for every tab: ${of[1]}.` }
  }
  const [first = ''] = statements
  const controls = statements.filter((one) => BEGIN.test(one) || COMMIT.test(one) || ROLLBACK.test(one))
  if (statements.length === 1 && BEGIN.test(first)) return { kind: 'begin' }
  if (statements.length === 1 && COMMIT.test(first)) return { kind: 'commit' }
  if (statements.length === 1 && ROLLBACK.test(first)) return { kind: 'rollback' }
  if (controls.length > 0)
    return {
      kind: 'refused',
      why: 'A transaction among other statements cannot be taken back by a tab: use db.transaction().',
    }
  return { kind: statements.every(isRead) ? 'read' : 'write' }
}

/** Answers the options of a `BEGIN`, as `SET TRANSACTION` takes them; empty where it has none. */
export const transactionOptions = (text: string): string =>
  (splitStatements(text)[0] ?? '').replace(/^(begin(\s+(work|transaction)\b)?|start\s+transaction\b)\s*/i, '')

/** Judges what a tab asks for within a transaction, which only its own calls begin and end. */
export function judgeWithin(text: string): Judgement {
  const judged = judgeStatement(text)
  const statements = splitStatements(text)
  const ends = statements.some((one) => BEGIN.test(one) || COMMIT.test(one) || ROLLBACK.test(one))
  if (judged.kind === 'refused' || !ends) return judged
  return { kind: 'refused', why: 'A transaction ends with its function, or by tx.rollback(); SAVEPOINT is for parts.' }
}

const isRead = (statement: string) => READ.test(statement) && !WRITES.test(statement)

const firstWords = (statement: string) => statement.split(/\s+/).slice(0, 2).join(' ').toUpperCase()

/** Answers whether a text is answered with rows. */
export const answersRows = (text: string): boolean =>
  splitStatements(text).some((statement) => isRead(statement) || /\breturning\b/i.test(statement))

const TARGET =
  /^(?:insert\s+into|update(?:\s+only)?|delete\s+from(?:\s+only)?|merge\s+into(?:\s+only)?)\s+(?:([\w$]+)\s*\.\s*)?([\w$]+)(?![\w$\u0080-\uffff]|\s*\.)/i

/**
 * Answers whether a text can have done nothing but what a synced table shows: then it is known whether it was committed.
 * Names in quotes are not recognised, which makes it doubtful.
 */
export function writesSyncedOnly(text: string, synced: ReadonlySet<string>): boolean {
  return splitStatements(text).every((statement) => {
    if (isRead(statement)) return true
    const [, schema = 'public', table = ''] = TARGET.exec(statement) ?? []
    return synced.has(`${schema.toLowerCase()}.${table.toLowerCase()}`)
  })
}
