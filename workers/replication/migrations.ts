import { definitionFault, parseDefinitionRow } from '../../db/definition/definition-in-force.ts'
import type { Query } from '../../db/query.ts'
import {
  type DefinitionVersion,
  formatPgLsn,
  type Lsn,
  type MigrationsAnswer,
  parsePgLsn,
  TidemarkError,
} from '../../protocol/index.ts'

/** The place in a history up to which it is captured, and the version that is in force there. */
export interface CapturedPlace {
  readonly epoch: string
  readonly head: Lsn
  readonly version: number
}

const MOST_VERSIONS = 200
const MOST_CHARS = 4 * 1024 * 1024
/** Answers remembered: nearly all replicas ask from the same version. */
const KEPT_ANSWERS = 8

/** A running sum keeps what is too much from being read. */
const VERSIONS = `
  SELECT lsn::text, version::text, hash, 
    CASE WHEN count(*) OVER place <= ${MOST_VERSIONS} AND sum(length(stored)) OVER place <= ${MOST_CHARS} THEN stored END AS definition
  FROM (
    SELECT h.lsn, h.seq, d.version, d.hash, d.definition::text AS stored
    FROM tidemark.change_history h JOIN tidemark.sync_definition d ON d.version = (h.data ->> 'version')::bigint
    WHERE h.epoch = $1 AND h.audience IS NULL AND h.operation = 'definition'
      AND h.lsn <= $2::pg_lsn AND d.version > $3::bigint AND d.version <= $4::bigint
    ORDER BY h.lsn, h.seq LIMIT ${MOST_VERSIONS + 1}) AS told
  WINDOW place AS (ORDER BY told.lsn, told.seq)
  ORDER BY told.lsn, told.seq`

/**
 * Reads the versions after this one that a history tells of, in order, up to where it is captured.
 *
 * A version that nobody can read never came in force and is left out. Throws `limit-exceeded` where there are more than
 * one answer holds: loading anew is cheaper then.
 */
export async function readMigrations(
  query: Query,
  { epoch, head, version }: CapturedPlace,
  from: number,
): Promise<MigrationsAnswer> {
  const rows = await query(VERSIONS, [epoch, formatPgLsn(head), from, version])
  const versions = rows.flatMap((row): DefinitionVersion[] => {
    if (row.definition == null)
      throw new TidemarkError('limit-exceeded', 'Too many versions lie between: load the tables anew.')
    if (definitionFault(JSON.parse(row.definition)) !== null) return []
    const { hash, definition, steps = [], names = [], version } = parseDefinitionRow(row)
    return [{ version, hash, lsn: parsePgLsn(row.lsn ?? ''), definition, steps: [...steps], names: [...names] }]
  })
  return { epoch, versions }
}

/** Answers each question once for a place, because every replica asks when a version comes in force. */
export class KeptMigrations {
  readonly #answers = new Map<string, Promise<MigrationsAnswer>>()

  of(
    { epoch, version }: CapturedPlace,
    from: number,
    read: () => Promise<MigrationsAnswer>,
  ): Promise<MigrationsAnswer> {
    const asked = JSON.stringify([epoch, version, from])
    const kept = this.#answers.get(asked)
    if (kept) return kept
    const answer = read()
    this.#answers.set(asked, answer)
    answer.catch(() => this.#answers.delete(asked))
    const [oldest] = this.#answers.keys()
    if (this.#answers.size > KEPT_ANSWERS && oldest !== undefined) this.#answers.delete(oldest)
    return answer
  }
}
