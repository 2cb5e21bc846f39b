import { splitStatements } from './split-statements.ts'

/** What a statement does to tables that are there, as far as its text tells. */
export interface StatementLock {
  /** As it stands in the statement, quoted or not. */
  readonly table: string
  readonly lock: 'ACCESS EXCLUSIVE' | 'SHARE ROW EXCLUSIVE' | 'SHARE' | 'SHARE UPDATE EXCLUSIVE' | 'ROW EXCLUSIVE'
  readonly work: Work
}

/** `perhaps rewrite`: it depends on what is there, such as the type that a column has. */
export type Work = 'none' | 'scan' | 'index' | 'rewrite' | 'perhaps rewrite' | 'rows'

const NAME = String.raw`((?:"(?:[^"]|"")+"|[\w$]+)(?:\.(?:"(?:[^"]|"")+"|[\w$]+))?)`
const START = /^(?:\s|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)+/
const starts = (pattern: string) => new RegExp(`^${pattern.replaceAll(' ', String.raw`\s+`)}`, 'i')

const ALTER = starts(String.raw`ALTER TABLE (?:IF EXISTS )?(?:ONLY )?${NAME}\s*\*?\s`)
/** Statements of other kinds that name a table, with what they do to it. */
const OTHERS: readonly (readonly [RegExp, StatementLock['lock'], Work])[] = [
  [starts(String.raw`CREATE (?:UNIQUE )?INDEX\b[\s\S]*? ON (?:ONLY )?${NAME}`), 'SHARE', 'index'],
  [
    starts(String.raw`CREATE (?:OR REPLACE )?(?:CONSTRAINT )?TRIGGER [\s\S]*? ON ${NAME}`),
    'SHARE ROW EXCLUSIVE',
    'none',
  ],
  [starts(String.raw`(?:CREATE|ALTER|DROP) POLICY [\s\S]*? ON ${NAME}`), 'ACCESS EXCLUSIVE', 'none'],
  [starts(String.raw`DROP TRIGGER [\s\S]*? ON ${NAME}`), 'ACCESS EXCLUSIVE', 'none'],
  [starts(`DROP TABLE (?:IF EXISTS )?${NAME}`), 'ACCESS EXCLUSIVE', 'none'],
  [starts(`TRUNCATE (?:TABLE )?(?:ONLY )?${NAME}`), 'ACCESS EXCLUSIVE', 'none'],
  [starts(`CLUSTER ${NAME}`), 'ACCESS EXCLUSIVE', 'rewrite'],
  [starts(`UPDATE (?:ONLY )?${NAME}`), 'ROW EXCLUSIVE', 'rows'],
  [starts(`DELETE FROM (?:ONLY )?${NAME}`), 'ROW EXCLUSIVE', 'rows'],
]
const REFERENCES = new RegExp(String.raw`\bREFERENCES\s+${NAME}`, 'gi')

/** The parts of ALTER TABLE, of which the first that fits counts. */
const PARTS: readonly (readonly [RegExp, StatementLock['lock'], Work])[] = [
  [starts('VALIDATE CONSTRAINT'), 'SHARE UPDATE EXCLUSIVE', 'scan'],
  [starts('ATTACH PARTITION'), 'SHARE UPDATE EXCLUSIVE', 'scan'],
  [
    starts('(?:ALTER (?:COLUMN )?\\S+ SET STATISTICS|CLUSTER ON|SET WITHOUT CLUSTER|SET \\(|RESET \\()'),
    'SHARE UPDATE EXCLUSIVE',
    'none',
  ],
  [starts('(?:ENABLE|DISABLE) (?:ALWAYS |REPLICA )?TRIGGER'), 'SHARE ROW EXCLUSIVE', 'none'],
  [starts('SET (?:LOGGED|UNLOGGED|ACCESS METHOD|TABLESPACE)'), 'ACCESS EXCLUSIVE', 'rewrite'],
  [/^ADD\s[\s\S]*\bNOT\s+VALID\s*$/i, 'ACCESS EXCLUSIVE', 'none'],
  [starts('ADD (?:CONSTRAINT \\S+ )?(?:UNIQUE|PRIMARY KEY) USING INDEX'), 'ACCESS EXCLUSIVE', 'none'],
  [starts('ADD (?:CONSTRAINT \\S+ )?(?:UNIQUE|PRIMARY KEY|EXCLUDE)'), 'ACCESS EXCLUSIVE', 'index'],
  [starts('ADD (?:CONSTRAINT \\S+ )?FOREIGN KEY'), 'SHARE ROW EXCLUSIVE', 'scan'],
  [starts('ADD (?:CONSTRAINT \\S+ )?CHECK'), 'ACCESS EXCLUSIVE', 'scan'],
  [/^ADD\s[\s\S]*\bGENERATED\s/i, 'ACCESS EXCLUSIVE', 'rewrite'],
  [/^ADD\s[\s\S]*\b(?:big|small)?serial\d?\b/i, 'ACCESS EXCLUSIVE', 'rewrite'],
  [/^ADD\s[\s\S]*\b(?:UNIQUE|PRIMARY\s+KEY)\b/i, 'ACCESS EXCLUSIVE', 'index'],
  [/^ADD\s[\s\S]*\bDEFAULT\s+(?!(?:now|current_timestamp)\b)[\w.]+\s*\(/i, 'ACCESS EXCLUSIVE', 'perhaps rewrite'],
  [starts('ALTER (?:COLUMN )?\\S+ SET NOT NULL'), 'ACCESS EXCLUSIVE', 'scan'],
  [starts('ALTER (?:COLUMN )?\\S+ (?:SET DATA )?TYPE'), 'ACCESS EXCLUSIVE', 'perhaps rewrite'],
  [starts('ALTER (?:COLUMN )?\\S+ SET EXPRESSION'), 'ACCESS EXCLUSIVE', 'rewrite'],
]

const LOCKS = ['ROW EXCLUSIVE', 'SHARE UPDATE EXCLUSIVE', 'SHARE', 'SHARE ROW EXCLUSIVE', 'ACCESS EXCLUSIVE'] as const
const WORKS = ['none', 'rows', 'scan', 'index', 'perhaps rewrite', 'rewrite'] as const

/**
 * Reads which tables a statement locks and what it does to their rows; null where its text does not tell, as of a
 * function that it calls.
 */
export function locksOf(statement: string): readonly StatementLock[] | null {
  const text = statement.replace(START, '').trim()
  const altered = ALTER.exec(text)
  if (altered?.[1] !== undefined) {
    const parts = splitStatements(text.slice(altered[0].length), ',')
    if (parts === null) return [{ table: altered[1], lock: 'ACCESS EXCLUSIVE', work: 'perhaps rewrite' }]
    const known = parts.map((part) => PARTS.find(([pattern]) => pattern.test(part)))
    // What is in no list, such as a name, a default or an owner, only changes the catalogue.
    const lock = strongest(
      LOCKS,
      known.map((found) => found?.[1] ?? 'ACCESS EXCLUSIVE'),
    )
    const work = strongest(
      WORKS,
      known.map((found) => found?.[2] ?? 'none'),
    )
    return [{ table: altered[1], lock, work }, ...parentsOf(text)]
  }
  for (const [pattern, lock, work] of OTHERS) {
    const table = pattern.exec(text)?.[1]
    if (table !== undefined) return [{ table, lock, work }]
  }
  if (/^CREATE\s+(?:UNLOGGED\s+)?TABLE\b/i.test(text)) return parentsOf(text)
  return /^(?:CREATE|ALTER|DROP|COMMENT|GRANT|REVOKE|SET|RESET|INSERT)\b/i.test(text) ? [] : null
}

function strongest<Level extends string>(order: readonly Level[], given: readonly Level[]): Level {
  const [weakest] = order
  const found = given.reduce((a, b) => (order.indexOf(a) >= order.indexOf(b) ? a : b), given[0] as Level)
  return given.length === 0 ? (weakest as Level) : found
}

/** A table that is referred to gets triggers. */
const parentsOf = (text: string): StatementLock[] =>
  [...text.matchAll(REFERENCES)].map(([, table = '']) => ({ table, lock: 'SHARE ROW EXCLUSIVE', work: 'none' }))
