import { type DefinitionInForce, mutationId, type Outcome, type TableDefinition } from '../../protocol/index.ts'
import type { Database } from '../database/index.ts'
import { log } from '../log.ts'
import type { OpenPush } from './open-push.ts'
import { rejectMutation } from './reject-mutation.ts'
import { isMutation, type ParsedMutation } from './rules/parse-mutation.ts'
import { type Again, PATIENCE, type Patience, refusalOf } from './rules/verdict.ts'

/** Thrown where a mutation was tried, failed by itself, and may yet succeed. */
export class Undecided extends Error {
  override readonly name = 'Undecided'
  readonly parsed: ParsedMutation
  readonly digest: string
  readonly verdict: Again
  /** Null for a connection that was cut, and for a failure in our own code. */
  readonly sqlState: string | null

  constructor(parsed: ParsedMutation, digest: string, verdict: Again, sqlState: string | null, cause?: unknown) {
    super('A mutation failed and may yet succeed.', { cause })
    this.sqlState = sqlState
    this.parsed = parsed
    this.digest = digest
    this.verdict = verdict
  }
}

/**
 * Counts the try in the database, and refuses the mutation once it was tried often enough and for long enough; null
 * while it is to be tried again.
 *
 * Throws what the database throws; while the database cannot be reached, nothing is counted.
 */
export async function countTry(push: OpenPush, database: Database, undecided: Undecided): Promise<Outcome | null> {
  const { parsed, digest, sqlState } = undecided
  const { tries, ms } = await count(database, push.client, parsed.counter, sqlState, 1)
  const patience = await patienceNow(push, database, undecided)
  if (tries < PATIENCE[patience].tries || ms < PATIENCE[patience].ms) return null
  const mutation = mutationId(push.client, parsed.counter)
  log(push.env, 'mutation-given-up', { mutation, client: push.client, count: tries, sqlState })
  return rejectMutation(push, database, parsed, digest, refusalOf(patience, sqlState))
}

/** Makes the mutations up to this one be tried one by one from now on, because it is not known which of them failed. */
export async function tryAlone({ client }: OpenPush, database: Database, counter: number): Promise<void> {
  if (counter > 0) await count(database, client, counter, null, 0)
}

async function count({ query }: Database, client: string, counter: number, sqlState: string | null, weight: number) {
  const [row] = await query('SELECT tidemark.count_try($1, $2::bigint, $3, $4::int)::text AS counted', [
    client,
    counter,
    sqlState,
    weight,
  ])
  const counted: { tries: number; ms: number } = JSON.parse(row?.counted ?? 'null')
  return counted
}

/** Finds columns of the definition in force that the catalogue does not have, or has with another type. */
const DRIFTED = `
  SELECT FROM json_to_recordset($1::json) AS given(schema text, name text, "column" text, type text)
  WHERE NOT EXISTS (
    SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE n.nspname = given.schema AND c.relname = given.name AND a.attname = given."column" AND a.attnum > 0
      AND NOT a.attisdropped AND format_type(a.atttypid, a.atttypmod) = given.type)
  LIMIT 1`

/**
 * Grants more patience where a table that the mutation writes differs from the definition: a migration may be under
 * way.
 */
async function patienceNow({ definition }: OpenPush, { query }: Database, undecided: Undecided): Promise<Patience> {
  const { patience } = undecided.verdict
  if (patience !== 'soon') return patience
  const columns = writtenTables(definition, undecided.parsed).flatMap(({ schema, name, columns }) =>
    columns.map(({ name: column, type }) => ({ schema, name, column, type })),
  )
  return (await query(DRIFTED, [JSON.stringify(columns)])).length > 0 ? 'drift' : patience
}

function writtenTables({ definition }: DefinitionInForce, { content }: ParsedMutation): TableDefinition[] {
  if (!isMutation(content)) return []
  const changes = content.kind === 'patch' ? content.rows : (content.predicted ?? [])
  const ids = new Set(changes.map(({ t }) => t))
  return definition.tables.filter(({ id }) => ids.has(id))
}
