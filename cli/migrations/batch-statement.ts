import { TidemarkError } from '../../protocol/errors.ts'
import type { MigrationFile } from './migration-file.ts'
import { splitStatements, wordsOf } from './split-statements.ts'

/** One statement that is run again and again for some of its rows. */
export interface BatchStatement {
  /** As it stands in the statement, quoted or not. */
  readonly table: string
  /** Changes the next rows whose place is after `$1`; answers `place`, where each is now, and `last`, where the last was. */
  readonly text: string
  /** Answers a row where one of the places `$1` still has to be changed; null where the rows are gone. */
  readonly isStill: string | null
}

const HEAD =
  /^(?:UPDATE|DELETE\s+FROM)\s+(?:ONLY\s+)?((?:"(?:[^"]|"")+"|[\w$]+)(?:\.(?:"(?:[^"]|"")+"|[\w$]+))?)\s*(?:$|SET\s)/i
const BEFORE = /^(?:\s|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)+/

/**
 * Makes the statement of one batch of a file that says `-- tidemark: batches of 1000`; null for any other file. Throws
 * `bad-input` where the file holds anything but one UPDATE or DELETE of one table with a WHERE.
 */
export function batchOf({ name, statements, batchRows }: MigrationFile): BatchStatement | null {
  if (batchRows == null) return null
  const parts = statements.map((statement) => splitStatements(statement))
  const [only, ...others] = parts.flatMap((part) => part ?? [''])
  const text = (only ?? '').replace(BEFORE, '')
  const words = wordsOf(text)
  const where = words?.find(({ word }) => word === 'where')
  const head = text.slice(0, where?.at).trim()
  const table = HEAD.exec(head)?.[1]
  const isMore =
    words?.some(({ word }) => ['from', 'using', 'returning'].includes(word) && !/^delete/i.test(text)) ?? true
  const isUsing = words?.some(({ word }) => ['using', 'returning'].includes(word)) ?? true
  if (others.length > 0 || where === undefined || table === undefined || isMore || isUsing)
    throw new TidemarkError(
      'bad-input',
      `Migration ${name} says "batches of ${batchRows}", for which it has to be one statement, UPDATE table SET … WHERE … or DELETE FROM ` +
        'table WHERE …, without an alias and without another table but in a subquery: put the rest into a file of its own.',
    )
  const condition = `(${text.slice(where.at + 'where'.length)}\n)`
  const some = `SELECT ctid AS place FROM ${table} WHERE ctid > $1::tid AND ${condition} LIMIT ${batchRows} FOR UPDATE`
  return {
    table,
    text: `WITH tidemark_batch AS MATERIALIZED (${some})
${head} WHERE ctid = ANY (ARRAY (SELECT place FROM tidemark_batch))
RETURNING ctid::text AS place, (SELECT max(place) FROM tidemark_batch)::text AS last`,
    isStill: /^update/i.test(text)
      ? `SELECT FROM ${table} WHERE ctid = ANY ($1::tid[]) AND ${condition} LIMIT 1`
      : null,
  }
}
