import { TidemarkError } from '../../../protocol/index.ts'
import type { Executor } from '../copies.ts'
import { EXAMINED_QUERY } from '../words-ddl.ts'

/** A table whose rows a query may read, or by which its rows may be written. */
export interface ReadTable {
  readonly oid: number
  /** As SQL. */
  readonly name: string
  /** It has the triggers that notify of its touches. */
  readonly watched: boolean
  /** The names of its columns by their places, from 1; null where one was dropped. */
  readonly columns: readonly (string | null)[]
}

/** What Postgres itself says of a query, its views and theirs. */
export interface QueryFacts {
  /** Also partitions and children, which hold rows, and parents, by which rows of these are written. */
  readonly tables: readonly ReadTable[]
  /** It may change by what touches none of these tables: by a function, the time, a catalog, a sequence. */
  readonly readsMore: boolean
  /** The query as Postgres keeps it, a `pg_node_tree`. */
  readonly tree: string
  /** The types of its parameters, as SQL. */
  readonly parameterTypes: readonly string[]
}

/**
 * Reads what a query depends on; nothing holds its tables afterwards. `tx` must be in a transaction.
 *
 * Throws `bad-input` for what is no SELECT, and what Postgres says of a query that does not compile.
 */
export async function readQueryFacts(tx: Executor, text: string): Promise<QueryFacts> {
  // Postgres takes one statement here, and finds the types of its parameters.
  await tx.query(`PREPARE ${EXAMINED_QUERY} AS ${text}`)
  const { rows } = await tx.query<{ types: string; tree: string; tables: string; more: boolean; writes: boolean }>(
    'SELECT types, tree, tables, more, writes FROM tidemark.examine_query($1)',
    [text],
  )
  const [facts] = rows
  if (!facts) throw new TidemarkError('internal', 'Postgres says nothing of a live query.')
  if (facts.writes) throw new TidemarkError('bad-input', 'A live query only reads: write with replica.transaction.')
  return {
    tree: facts.tree,
    tables: JSON.parse(facts.tables) as ReadTable[],
    readsMore: facts.more,
    parameterTypes: JSON.parse(facts.types) as string[],
  }
}

/** Answers the hash of each value as its type writes it, by which touched rows are told apart; null for NULL. */
export async function hashValues(
  tx: Executor,
  values: readonly { readonly type: string; readonly value: unknown }[],
): Promise<(number | null)[]> {
  if (values.length === 0) return []
  const hashes = values.map(({ type }, index) => `hashtext(($${index + 1}::${type})::text)`)
  const { rows } = await tx.query<{ hashes: string }>(
    `SELECT json_build_array(${hashes.join(', ')})::text AS hashes`,
    values.map(({ value }) => value),
  )
  return JSON.parse(rows[0]?.hashes ?? '[]') as (number | null)[]
}

/** Answers a number that is greater after each commit that wrote anything. */
export async function readNewestTransaction(db: Pick<Executor, 'query'>): Promise<number> {
  const { rows } = await db.query<{ xact: string }>(`SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS xact`)
  return Number(rows[0]?.xact ?? 0)
}
